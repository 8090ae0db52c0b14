//! Who the users are, where they live, and what they listen with: the blocks of a record that never change.

use super::json::{push_fixed, push_text, push_u64};
use super::random::{Alias, Random};

const FIRST_NAMES: &str = include_str!("data/first_names.txt");
const LAST_NAMES: &str = include_str!("data/last_names.txt");
const CITIES: &str = include_str!("data/cities.txt");
const AGENTS: &str = include_str!("data/agents.txt");

/// The more people, the more zip codes a city has; each zip code is one point on the map.
const PEOPLE_PER_ZIP: f64 = 50_000.0;
const ZIPS_MAX: f64 = 80.0;

#[derive(Debug)]
struct City {
    name: &'static str,
    state: &'static str,
    zip_prefix: &'static str,
    lon_micro: i64,
    lat_micro: i64,
    zips: u32,
}

/// The lists that users are drawn from.
#[derive(Debug)]
pub(super) struct People {
    first_names: Weighted<(&'static str, &'static str)>,
    last_names: Weighted<&'static str>,
    cities: Weighted<City>,
    agents: Weighted<&'static str>,
}

#[derive(Debug)]
struct Weighted<T> {
    items: Vec<T>,
    draw: Alias,
}

impl<T> Weighted<T> {
    fn new(items: Vec<(T, f64)>) -> Self {
        let weights: Vec<f64> = items.iter().map(|item| item.1).collect();
        let draw = Alias::new(&weights).expect("the embedded lists have positive weights");
        Self { items: items.into_iter().map(|item| item.0).collect(), draw }
    }

    fn draw(&self, random: &mut Random) -> &T {
        &self.items[self.draw.draw(random)]
    }
}

impl People {
    pub(super) fn load() -> Self {
        let number = |text: &str| text.parse::<f64>().expect("the embedded lists have numbers where they should");
        let first = rows(FIRST_NAMES).map(|[name, gender, weight]| ((name, gender), number(weight)));
        let last = rows(LAST_NAMES).map(|[name, weight]| (name, number(weight)));
        let agents = rows(AGENTS).map(|[weight, agent]| (agent, number(weight)));
        let cities = rows(CITIES).map(|[name, state, zip_prefix, lon, lat, thousands]| {
            let people = number(thousands) * 1000.0;
            let city = City {
                name,
                state,
                zip_prefix,
                lon_micro: (number(lon) * 1e6) as i64,
                lat_micro: (number(lat) * 1e6) as i64,
                zips: (1.0 + people / PEOPLE_PER_ZIP).min(ZIPS_MAX) as u32,
            };
            (city, people)
        });
        Self {
            first_names: Weighted::new(first.collect()),
            last_names: Weighted::new(last.collect()),
            cities: Weighted::new(cities.collect()),
            agents: Weighted::new(agents.collect()),
        }
    }

    /// Appends `,"city":..` to `,"lat":..`: the device block.
    pub(super) fn push_device(&self, out: &mut Vec<u8>, random: &mut Random) {
        let city = self.cities.draw(random);
        let zip = random.below(city.zips);
        out.extend_from_slice(b",\"city\":");
        push_text(out, city.name);
        out.extend_from_slice(b",\"zip\":\"");
        out.extend_from_slice(city.zip_prefix.as_bytes());
        out.extend_from_slice(&[b'0' + (zip / 10) as u8, b'0' + (zip % 10) as u8]);
        out.extend_from_slice(b"\",\"state\":");
        push_text(out, city.state);
        out.extend_from_slice(b",\"userAgent\":");
        push_text(out, self.agents.draw(random));
        // The points of a city's zip codes lie on a spiral around its middle, the same ones in every run.
        let (reach, turn) = (i64::from(zip) * 2_503, i64::from(zip) * 7 % 16 - 8);
        out.extend_from_slice(b",\"lon\":");
        push_fixed(out, city.lon_micro + reach * turn / 8, 6);
        out.extend_from_slice(b",\"lat\":");
        push_fixed(out, city.lat_micro + reach * (4 - turn.abs()) / 8, 6);
    }

    /// Appends `,"userId":..` to `,"registration":..`: the user block.
    pub(super) fn push_user(&self, out: &mut Vec<u8>, id: u64, registration_ms: i64, random: &mut Random) {
        let (first, gender) = self.first_names.draw(random);
        out.extend_from_slice(b",\"userId\":");
        push_u64(out, id);
        out.extend_from_slice(b",\"lastName\":");
        push_text(out, self.last_names.draw(random));
        out.extend_from_slice(b",\"firstName\":");
        push_text(out, first);
        out.extend_from_slice(b",\"gender\":");
        push_text(out, gender);
        out.extend_from_slice(b",\"registration\":");
        super::json::push_i64(out, registration_ms);
    }
}

/// The rows of an embedded list: `N` fields with bars between them; lines that begin with `#` are remarks.
fn rows<const N: usize>(text: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| {
        let mut fields = line.splitn(N, '|');
        std::array::from_fn(|_| fields.next().expect("the embedded lists have all their fields"))
    })
}
