//! What must hold within sessions and over the streams.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::{Options, Records, STREAMS, SimulatorConfig};
use super::{START_MS, field, number, options, sessions, simulator};

fn configs() -> [(SimulatorConfig, Options); 2] {
    [(SimulatorConfig::example(), options(500, 60_000)), (SimulatorConfig::guitar(), options(100, 60_000))]
}

/// A song that follows another one still playing begins when that one ends; a redirect takes a second; all other
/// gaps are whole seconds.
#[test]
fn times_within_sessions_follow_the_rules() {
    for (config, options) in configs() {
        let mut chained = 0;
        for session in sessions(simulator(config, options)).values() {
            let mut song_end = None;
            for (i, view) in session.iter().enumerate() {
                assert_eq!(view.item, i as u64, "items are counted from 0 without a gap");
                if let Some(before) = i.checked_sub(1).map(|i| &session[i]) {
                    let gap_ms = view.ts - before.ts;
                    assert!(gap_ms >= 0 && gap_ms % 1000 == 0, "{before:?} {view:?}");
                    if (300..400).contains(&view.status) {
                        assert_eq!(gap_ms, 1000, "{view:?}");
                    } else if view.page == "NextSong" && song_end.is_some_and(|end| end > before.ts) {
                        assert_eq!(Some(view.ts), song_end, "{view:?}");
                        chained += 1;
                    }
                }
                assert_eq!(view.song_s.is_some(), view.page == "NextSong");
                song_end = view.song_s.map(|song_s| view.ts + song_s * 1000).or(song_end);
            }
        }
        assert!(chained > 10_000, "{chained}");
    }
}

/// A session has one user on one device, and shows the user exactly when the configuration says so.
#[test]
fn a_session_has_one_user() {
    for (config, options) in configs() {
        for session in sessions(simulator(config, options)).values() {
            let users: HashSet<_> = session.iter().filter_map(|view| view.user.as_ref()).collect();
            assert!(users.len() <= 1 && session.iter().all(|view| view.city == session[0].city), "{session:?}");
            for view in session {
                assert_eq!(view.user.is_some(), ["Logged In", "Cancelled"].contains(&view.auth.as_str()), "{view:?}");
            }
        }
    }
}

/// Records leave in order of time. Listens are the songs among the page views, status changes the submitted ones, auth
/// records follow a login, and each has the time of its page view.
#[test]
fn streams_agree_with_each_other() {
    for (config, options) in configs() {
        let mut simulator = simulator(config, options);
        let (mut records, mut last_ms) = (Records::new(), START_MS);
        let mut found: [BTreeMap<(u64, u32), i64>; 4] = Default::default();
        let mut expected: [BTreeMap<(u64, u32), i64>; 4] = Default::default();
        let (mut pages, mut spurious) = (HashMap::<u64, (String, bool)>::new(), 0);
        while simulator.next_records(1_000, &mut records) {
            for record in records.iter() {
                let text = std::str::from_utf8(record.payload).unwrap();
                let (id, ts) = ((number(text, "sessionId"), number(text, "itemInSession")), number(text, "ts"));
                assert!(ts >= last_ms && ts == record.time_ms && record.key.is_none());
                last_ms = ts;
                assert_eq!(found[record.stream].insert(id, ts), None, "{id:?} twice in {}", STREAMS[record.stream]);
                if STREAMS[record.stream] != "page_view_events" {
                    continue;
                }
                let (page, status) = (field(text, "page"), field(text, "status"));
                let (before, after_login) = pages.remove(&id.0).unwrap_or_default();
                // Redirects do not count as the page before, and so a login lingers over them.
                let after_login = if status == "307" { after_login } else { before == "Login" };
                spurious += u32::from(after_login && before != "Login");
                for (stream, is_one) in [
                    page == "NextSong",
                    page.starts_with("Submit Upgrade") || page == "Submit Downgrade",
                    after_login,
                    true,
                ]
                .into_iter()
                .enumerate()
                {
                    if is_one {
                        expected[stream].insert(id, ts);
                    }
                }
                pages.insert(id.0, (page.to_owned(), after_login));
            }
        }
        assert!(
            found == expected,
            "{:?} against {:?}",
            found.each_ref().map(BTreeMap::len),
            expected.each_ref().map(BTreeMap::len)
        );
        let share = f64::from(spurious) / found[2].len() as f64;
        assert!((0.03..0.10).contains(&share), "{share} of the auth records are spurious");
    }
}

/// Users come at the growth rate and leave at the attrition rate; with neither, only those who cancel are gone.
#[test]
fn users_come_and_go() {
    let quarter_ms = 7_889_400_000;
    let users_after = |growth_rate: f64, attrition_rate: f64| {
        let end_ms = Some(START_MS + quarter_ms);
        let options =
            Options { users: 300, start_ms: START_MS, end_ms, growth_rate, attrition_rate, ..Options::default() };
        let mut simulator = simulator(SimulatorConfig::example(), options);
        let mut records = Records::new();
        while simulator.next_records(10_000, &mut records) {
            assert!(records.iter().all(|record| (START_MS..START_MS + quarter_ms).contains(&record.time_ms)));
        }
        simulator.users() as f64
    };
    let (steady, grown, shrunk) = (users_after(0.0, 0.0), users_after(4.0, 0.0), users_after(0.0, 4.0));
    assert!((270.0..=300.0).contains(&steady), "{steady}");
    // Each user brings e - 1 others in a quarter at a rate of 4 a year.
    assert!((650.0..=980.0).contains(&grown), "{grown}");
    // A user who leaves is counted as gone only when the last session is over, which is why more than 1/e are left.
    assert!((90.0..=170.0).contains(&shrunk), "{shrunk}");
}
