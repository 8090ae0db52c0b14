//! I-11: the engine and its parts know nothing of music.

use super::Offence;
use super::tree::File;

/// Words of the music domain. "Listen", "listens" and "listener" are not among them: servers do it.
const MUSIC: [&str; 12] = [
    "song",
    "songs",
    "artist",
    "artists",
    "album",
    "albums",
    "playlist",
    "playlists",
    "eventsim",
    "streamify",
    "musician",
    "concert",
];

/// Compounds whose parts are ordinary words.
const MUSIC_COMPOUNDS: [&str; 5] =
    ["listen_event", "fact_listen", "page_view_event", "auth_event", "status_change_event"];

/// Where they may be said.
const ALLOWED: [&str; 3] = ["operators/src/source/simulator", "pipelines/music/", "pipelines/src/music/"];

/// Words of the music domain in code that is not about music; tests may have them.
pub fn music(files: &[File]) -> Vec<Offence> {
    let packages = ["engine/", "operators/", "pipelines/"];
    let concerned = |file: &&File| {
        packages.iter().any(|package| file.path.starts_with(package))
            && (file.is_rust() || file.path.ends_with(".toml"))
            && !file.is_test()
            && !ALLOWED.iter().any(|allowed| file.path.starts_with(allowed))
    };
    let mut offences = Vec::new();
    for file in files.iter().filter(concerned) {
        for (number, line) in file.production().lines().enumerate() {
            if let Some(word) = music_word(line) {
                let what = format!("\"{word}\" is a word of the music domain; say it in general words");
                offences.push(Offence { file: file.path.clone(), line: number + 1, what });
            }
        }
    }
    offences
}

/// The first word of the music domain in a line; `topSongs` and `top_songs` have one too.
fn music_word(line: &str) -> Option<String> {
    let lower = line.to_lowercase();
    if let Some(compound) = MUSIC_COMPOUNDS.iter().find(|compound| lower.contains(**compound)) {
        return Some((*compound).to_owned());
    }
    words(line).into_iter().find(|word| MUSIC.contains(&word.as_str()))
}

/// A line's words in lower case, split where the case changes and at everything but letters.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut was_lower) = (Vec::new(), String::new(), false);
    for character in line.chars().chain(" ".chars()) {
        if !character.is_alphabetic() || (was_lower && character.is_uppercase()) {
            words.push(std::mem::take(&mut word));
        }
        if character.is_alphabetic() {
            word.extend(character.to_lowercase());
        }
        was_lower = character.is_lowercase();
    }
    words
}
