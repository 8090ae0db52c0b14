//! The songs: a made-up catalog, the same for every run, with popularity that falls off like real listening.

use std::collections::HashSet;
use std::sync::OnceLock;

use super::json::{push_fixed, push_text};
use super::random::{Alias, Random};

const WORDS: &str = include_str!("data/words.txt");
const FIRST_NAMES: &str = include_str!("data/first_names.txt");
const LAST_NAMES: &str = include_str!("data/last_names.txt");

/// The catalog is a constant: it does not depend on the seed of a run.
const CATALOG_SEED: u64 = 0x5157_1ce5;
const ARTISTS: u32 = 5_000;
/// Mean number of songs of an artist, beyond the first.
const SONGS_MEAN: f64 = 9.0;
/// Share of the songs that the catalog has twice, with different durations.
const TWIN_SHARE: f64 = 0.005;
/// After a song, the share of times that another one of the same artist comes next.
const SAME_ARTIST_SHARE: f64 = 0.2;

/// One song (or one of the two durations of a song).
#[derive(Debug, Clone)]
pub(super) struct Song {
    start: u32,
    end: u32,
    artist: u32,
    pub(super) duration_s: u32,
    pub(super) is_ascii: bool,
}

/// All songs.
#[derive(Debug)]
pub(super) struct Catalog {
    songs: Vec<Song>,
    /// `"artist":..,"song":..,"duration":..` of all songs, one after another.
    text: Vec<u8>,
    popularity: Alias,
    /// For each artist, its first song and how many follow.
    artists: Vec<(u32, u32)>,
}

impl Catalog {
    /// The catalog; made once in a process.
    pub(super) fn shared() -> &'static Self {
        static CATALOG: OnceLock<Catalog> = OnceLock::new();
        CATALOG.get_or_init(Self::make)
    }

    fn make() -> Self {
        let words = Words::load();
        let mut random = Random::new(CATALOG_SEED);
        let (mut songs, mut text, mut artists) = (Vec::new(), Vec::new(), Vec::new());
        let (mut weights, mut names) = (Vec::new(), HashSet::new());
        while artists.len() < ARTISTS as usize {
            let name = words.artist(&mut random);
            if !names.insert(name.clone()) {
                continue;
            }
            let artist = artists.len() as u32;
            let first = songs.len() as u32;
            let fame = (f64::from(artist) + 20.0).powi(-1);
            let mut titles = HashSet::new();
            for rank in 0..1 + random.exponential(SONGS_MEAN) as u32 {
                let title = words.title(&mut random);
                if !titles.insert(title.clone()) {
                    continue;
                }
                let weight = fame / (f64::from(rank) + 2.0);
                let twins = if random.chance(TWIN_SHARE) { 2 } else { 1 };
                for twin in 1..=twins {
                    songs.push(song(&mut text, artist, &name, &title, &mut random));
                    weights.push(weight / f64::from(twin * twins));
                }
            }
            artists.push((first, songs.len() as u32 - first));
        }
        let popularity = Alias::new(&weights).expect("every song has a positive weight");
        Self { songs, text, popularity, artists }
    }

    pub(super) fn song(&self, number: u32) -> &Song {
        &self.songs[number as usize]
    }

    /// `"artist":..,"song":..,"duration":..` of a song.
    pub(super) fn fields(&self, song: &Song) -> &[u8] {
        &self.text[song.start as usize..song.end as usize]
    }

    /// A song to hear, after the one before (if there was one in this session).
    pub(super) fn next(&self, before: Option<u32>, random: &mut Random) -> u32 {
        match before {
            Some(before) if random.chance(SAME_ARTIST_SHARE) => {
                let (first, count) = self.artists[self.song(before).artist as usize];
                first + random.below(count)
            }
            _ => self.popularity.draw(random) as u32,
        }
    }
}

fn song(text: &mut Vec<u8>, artist: u32, name: &str, title: &str, random: &mut Random) -> Song {
    // In steps of 10 microseconds, as the real catalog has them.
    let duration = ((245.0 + 75.0 * random.normal()).clamp(45.0, 1_500.0) * 100_000.0) as i64;
    let start = text.len() as u32;
    text.extend_from_slice(b"\"artist\":");
    push_text(text, name);
    text.extend_from_slice(b",\"song\":");
    push_text(text, title);
    text.extend_from_slice(b",\"duration\":");
    push_fixed(text, duration, 5);
    Song {
        start,
        end: text.len() as u32,
        artist,
        duration_s: (duration / 100_000) as u32,
        is_ascii: name.is_ascii() && title.is_ascii(),
    }
}

struct Words {
    adjectives: Vec<&'static str>,
    nouns: Vec<&'static str>,
    verbs: Vec<&'static str>,
    foreign: Vec<&'static str>,
    first_names: Vec<&'static str>,
    last_names: Vec<&'static str>,
}

impl Words {
    fn load() -> Self {
        let kind = |kind: &str| {
            let line = WORDS.lines().find(|line| line.split('|').next() == Some(kind));
            line.map_or(Vec::new(), |line| line.split('|').skip(1).collect())
        };
        let names = |text: &'static str| {
            text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split('|').next()).collect()
        };
        Self {
            adjectives: kind("adjective"),
            nouns: kind("noun"),
            verbs: kind("verb"),
            foreign: kind("foreign"),
            first_names: names(FIRST_NAMES),
            last_names: names(LAST_NAMES),
        }
    }

    fn artist(&self, random: &mut Random) -> String {
        let adjective = pick(&self.adjectives, random);
        let (noun, other) = (pick(&self.nouns, random), pick(&self.nouns, random));
        let (first, last) = (pick(&self.first_names, random), pick(&self.last_names, random));
        match random.below(100) {
            0..25 => format!("{first} {last}"),
            25..50 => format!("The {adjective} {noun}s"),
            50..70 => format!("{adjective} {noun}"),
            70..78 => format!("{noun} & {other}"),
            78..84 => format!("{first} {last} & The {noun}s"),
            84..88 => format!("DJ {noun}"),
            88..92 => format!("{last} / {other}"),
            92..94 => format!("{first} \"{noun}\" {last}"),
            94..97 => format!("{} {last}", pick(&self.foreign, random)),
            _ => format!("{noun} {}", pick(&self.foreign, random)),
        }
    }

    fn title(&self, random: &mut Random) -> String {
        let adjective = pick(&self.adjectives, random);
        let (noun, other) = (pick(&self.nouns, random), pick(&self.nouns, random));
        let title = match random.below(100) {
            0..30 => format!("{adjective} {noun}"),
            30..50 => format!("{noun} In The {other}"),
            50..60 => format!("The {noun}"),
            60..70 => format!("{} Me {adjective}", pick(&self.verbs, random)),
            70..78 => format!("Don't {} The {noun}", pick(&self.verbs, random)),
            78..85 => format!("{noun} & {other}"),
            85..88 => format!("{noun} #{}", 1 + random.below(12)),
            88..90 => format!("\"{adjective}\" {noun}"),
            90..95 => format!("{} {noun}", pick(&self.foreign, random)),
            _ => format!("{adjective} {}", pick(&self.foreign, random)),
        };
        match random.below(100) {
            0..6 => title + " (Album Version)",
            6..10 => title + " (Live)",
            10..13 => title + " (Remastered)",
            _ => title,
        }
    }
}

/// A word of a list; nothing of an empty one.
fn pick(words: &[&'static str], random: &mut Random) -> &'static str {
    words.get(random.below(words.len() as u32) as usize).copied().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The catalog has about 50,000 songs, 0.5 % of them twice, a tenth with letters outside of ASCII, and all parse.
    #[test]
    fn catalog_is_as_described() {
        let catalog = Catalog::shared();
        assert!((35_000..60_000).contains(&catalog.songs.len()), "{}", catalog.songs.len());
        let mut durations = std::collections::HashMap::<(String, String), u32>::new();
        for song in &catalog.songs {
            let fields = format!("{{{}}}", std::str::from_utf8(catalog.fields(song)).unwrap());
            let fields: serde_json::Value = serde_json::from_str(&fields).unwrap();
            assert_eq!(fields["duration"].as_f64().unwrap() as u32, song.duration_s);
            let text = |name: &str| fields[name].as_str().unwrap().to_owned();
            assert!(!text("song").contains("  ") && !text("artist").trim().is_empty());
            *durations.entry((text("artist"), text("song"))).or_default() += 1;
        }
        let twins = durations.values().filter(|n| **n == 2).count() as f64 / durations.len() as f64;
        assert!((0.003..0.007).contains(&twins), "{twins}");
        let foreign = catalog.songs.iter().filter(|song| !song.is_ascii).count() as f64 / catalog.songs.len() as f64;
        assert!((0.05..0.25).contains(&foreign), "{foreign}");
    }
}
