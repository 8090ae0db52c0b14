//! Writing one page event as records: a page view, and a listen, a status change or an auth record where it is one.

use super::fault::push_read_as_latin_1;
use super::json::{push_i64, push_u64};
use super::records::{AUTH, Entry, LISTEN, PAGE_VIEW, Records, STATUS_CHANGE};
use super::user::{User, World};

/// What is the same in all records of one event.
#[derive(Debug, Default)]
pub(super) struct EventWriter {
    /// `,"tag":".."`, or nothing.
    tag: Vec<u8>,
    /// `<time>,"sessionId":<number>` of the event at hand.
    head: Vec<u8>,
    /// `<item>` and the device, user and tag blocks of the event at hand.
    body: Vec<u8>,
    /// The song's fields of the event at hand.
    song: Vec<u8>,
}

impl EventWriter {
    pub(super) fn new(tag: Option<&str>) -> Self {
        let mut writer = Self::default();
        if let Some(tag) = tag {
            writer.tag.extend_from_slice(b",\"tag\":");
            super::json::push_text(&mut writer.tag, tag);
        }
        writer
    }

    /// Appends the records of the user's event, in eventsim's order: listen, status change, auth, page view.
    /// `mojibake`: how often the song's text is read as Latin-1.
    pub(super) fn write(&mut self, user: &User, world: &World, mojibake: u8, out: &mut Records) {
        let state = world.chain.state(user.state);
        self.prepare(user, state.shows_user);
        let song = if state.is_song { user.song } else { None };
        if let Some(song) = song {
            self.prepare_song(world, song, mojibake);
            self.record(user, LISTEN, mojibake, out, |writer, out| {
                out.push(b'{');
                out.extend_from_slice(&writer.song);
                out.extend_from_slice(b",\"ts\":");
                writer.head_and_body(&state.auth_level, out);
            });
        }
        if state.is_status_change {
            self.record(user, STATUS_CHANGE, 0, out, |writer, out| {
                out.extend_from_slice(b"{\"ts\":");
                writer.head_and_body(&state.auth_level, out);
            });
        }
        if user.after_login {
            self.record(user, AUTH, 0, out, |writer, out| {
                out.extend_from_slice(b"{\"ts\":");
                writer.head_and_body(&state.level, out);
                out.extend_from_slice(if state.is_logged_in { b",\"success\":true" } else { b",\"success\":false" });
            });
        }
        self.record(user, PAGE_VIEW, if song.is_some() { mojibake } else { 0 }, out, |writer, out| {
            out.extend_from_slice(b"{\"ts\":");
            writer.head_and_body(&state.page_view, out);
            if song.is_some() {
                out.push(b',');
                out.extend_from_slice(&writer.song);
            }
        });
    }

    fn prepare(&mut self, user: &User, shows_user: bool) {
        self.head.clear();
        push_i64(&mut self.head, user.next_ms);
        self.head.extend_from_slice(b",\"sessionId\":");
        push_u64(&mut self.head, user.session);
        self.body.clear();
        push_u64(&mut self.body, u64::from(user.item));
        self.body.extend_from_slice(user.blocks(shows_user));
        if shows_user {
            self.body.extend_from_slice(&self.tag);
        }
    }

    fn prepare_song(&mut self, world: &World, song: u32, mojibake: u8) {
        self.song.clear();
        self.song.extend_from_slice(world.catalog.fields(world.catalog.song(song)));
        for _ in 0..mojibake {
            let good = std::mem::take(&mut self.song);
            push_read_as_latin_1(&mut self.song, &good);
        }
    }

    fn head_and_body(&self, state: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(state);
        out.extend_from_slice(&self.body);
    }

    fn record(
        &self,
        user: &User,
        stream: usize,
        mojibake: u8,
        out: &mut Records,
        write: impl FnOnce(&Self, &mut Vec<u8>),
    ) {
        let start = out.bytes.len();
        write(self, &mut out.bytes);
        out.bytes.extend_from_slice(b"}\n");
        let (time_ms, session, item) = (user.next_ms, user.session, user.item);
        out.finish(Entry { stream, time_ms, session, item, mojibake, start, end: start });
    }
}
