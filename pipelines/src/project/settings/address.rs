//! The address of ClickHouse: what may not be shown is taken out of it, so that every message may show the rest.

use url::Url;
use url::form_urlencoded::parse;

use super::Secret;

/// An address, and who logs in there.
#[derive(Debug, PartialEq)]
pub(super) struct Address {
    /// Without user and password.
    pub url: String,
    pub user: Option<String>,
    pub password: Option<Secret>,
}

const WRITE: &str = "write it as http://host:8123";

/// Takes an address apart.
///
/// # Errors
/// What is wrong with it (never the address itself, as it may hold a password) and the way out.
pub(super) fn take_apart(text: &str) -> Result<Address, (String, &'static str)> {
    let mut url = Url::parse(text).map_err(|e| (format!("is not a URL: {e}"), WRITE))?;
    match url.scheme() {
        "http" => {}
        "https" => {
            let way_out = "put a TLS proxy (stunnel, nginx, chproxy) beside sluice and name its http address";
            return Err(("is https, which this build cannot speak".into(), way_out));
        }
        _ => return Err(("is not http".into(), WRITE)),
    }
    if url.query().is_some() || url.fragment().is_some() {
        let way_out = "put user and password into clickhouse.user and clickhouse.password, and leave the rest out";
        return Err(("has parameters (?...), which are not passed on".into(), way_out));
    }
    let user = Some(decoded(url.username())).filter(|user| !user.is_empty());
    let password = url.password().map(|password| Secret(decoded(password)));
    // They can only be refused by addresses that have no host, and those are not http.
    let (_, _) = (url.set_username(""), url.set_password(None));
    let plain = user.is_none() && password.is_none();
    let url = if plain { text.to_owned() } else { url.as_str().trim_end_matches('/').to_owned() };
    Ok(Address { url, user, password })
}

/// Text without its `%20`.
fn decoded(text: &str) -> String {
    let as_value = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    parse(as_value.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// User and password leave the address, decoded; an address without them stays as it was written.
    #[test]
    fn login_leaves_the_address() {
        let address = take_apart("http://etl:a%2Fb+c%26&%3D=@db:8123/").unwrap();
        let expected = Address {
            url: "http://db:8123".into(),
            user: Some("etl".into()),
            password: Some(Secret("a/b+c&&==".into())),
        };
        assert_eq!(address, expected);
        let plain = take_apart("http://db:8123/x").unwrap();
        assert_eq!(plain, Address { url: "http://db:8123/x".into(), user: None, password: None });
    }

    /// What cannot be an address is told without the address.
    #[test]
    fn faults_do_not_show_the_address() {
        let faults = ["https://u:hush@db", "http://u:hush@db:99999", "db:8123/hush", "http://db:8123?password=hush"];
        let said: Vec<String> = faults
            .iter()
            .map(|text| {
                take_apart(text).map(|_| String::new()).unwrap_or_else(|(what, way_out)| format!("{what}; {way_out}"))
            })
            .collect();
        assert!(said.iter().all(|text| !text.is_empty() && !text.contains("hush")), "{said:?}");
        assert!(said[0].starts_with("is https, which this build cannot speak; put a TLS proxy"), "{said:?}");
    }
}
