//! Requests to the hub: redirects, the token, bounded answers. One attempt each; [`super::trouble`] says when to repeat.

use std::io::Read;
use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::http::{HeaderMap, Response, StatusCode, Uri, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::access::{Endpoint, Origin, Token};
use super::trouble::Trouble;

/// Redirects of one request.
const MAX_REDIRECTS: usize = 8;

/// Bytes of one page of a listing: tens of thousands of files.
const MAX_JSON: u64 = 16 << 20;

/// Until a connection is made, with the name looked up.
const CONNECT: Duration = Duration::from_secs(20);

/// The longest silence of a connection.
const SILENCE: Duration = Duration::from_secs(30);

/// Speaks to one hub.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    endpoint: Endpoint,
    token: Option<Token>,
}

/// A page of an answer in JSON.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) value: T,
    /// Where the next page is.
    pub(crate) next: Option<String>,
}

impl Client {
    pub(crate) fn new(endpoint: Endpoint, token: Option<Token>) -> Self {
        Self::with_silence(endpoint, token, SILENCE)
    }

    fn with_silence(endpoint: Endpoint, token: Option<Token>, silence: Duration) -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .user_agent(concat!("llama-rs/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            // By hand, for the token's sake.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(silence))
            .timeout_per_read(Some(silence))
            .build()
            .new_agent();
        Self { agent, endpoint, token }
    }

    /// The address of something at the hub.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint.url)
    }

    /// Asks for an address, from a byte on. The answer is a success, or says that the range makes no sense.
    pub(crate) fn get(&self, url: &str, from: u64) -> Result<Response<Body>, Trouble> {
        let mut uri = parse(url)?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.get_once(&uri, from)?;
            let status = response.status();
            match status.as_u16() {
                200 | 206 | 416 => return Ok(response),
                301 | 302 | 303 | 307 | 308 => uri = target(&uri, response.headers())?,
                _ => return Err(self.refused(status, &uri, response.headers())),
            }
        }
        Err(Trouble::lasting(format!("{} redirects in a row lead nowhere", MAX_REDIRECTS + 1)))
    }

    /// Asks for an answer in JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self, url: &str) -> Result<Page<T>, Trouble> {
        let mut response = self.get(url, 0)?;
        let kind = response.body().mime_type().unwrap_or("nothing that has a type").to_owned();
        if !kind.contains("json") {
            let hub = &self.endpoint.url;
            return Err(Trouble::lasting(format!(
                "{hub} answers with {kind} where JSON should be. Is this address a hub, or does a proxy or a login \
                 page answer?"
            )));
        }
        let next = next_page(response.headers()).map(|next| resolved(&parse(url)?, &next)).transpose()?;
        let mut bytes = Vec::new();
        let mut body = response.body_mut().as_reader().take(MAX_JSON + 1);
        body.read_to_end(&mut bytes).map_err(|error| Trouble::broken(&error))?;
        if bytes.len() as u64 > MAX_JSON {
            return Err(Trouble::lasting(format!("the hub's answer is longer than {} MiB", MAX_JSON >> 20)));
        }
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            Trouble::lasting(format!("the hub's answer is not the JSON that it should be: {error}"))
        })?;
        Ok(Page { value, next })
    }

    fn get_once(&self, uri: &Uri, from: u64) -> Result<Response<Body>, Trouble> {
        let mut request = self.agent.get(uri);
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        if let Some(token) = self.token_for(uri) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.secret));
        }
        request.call().map_err(|error| Trouble::transport(uri.host().unwrap_or("the hub"), &error))
    }

    /// Where else the hub sends us has an address that is its own permission.
    fn token_for(&self, uri: &Uri) -> Option<&Token> {
        self.token.as_ref().filter(|_| self.endpoint.is_at(uri))
    }

    fn refused(&self, status: StatusCode, uri: &Uri, headers: &HeaderMap) -> Trouble {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let delay = text("retry-after").and_then(|value| value.trim().parse().ok()).map(Duration::from_secs);
        let said = text("x-error-message").map(|said| format!(": {}", plain(said))).unwrap_or_default();
        Trouble::status(status, delay, self.token_for(uri).map(|token| token.source.as_str()), &said)
    }
}

fn parse(url: &str) -> Result<Uri, Trouble> {
    url.parse().map_err(|_| Trouble::lasting(format!("{} is no address", plain(url))))
}

/// A stranger's words, to be shown.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Where a redirect leads: never from a safe connection to an open one.
fn target(from: &Uri, headers: &HeaderMap) -> Result<Uri, Trouble> {
    let Some(location) = headers.get(header::LOCATION).and_then(|value| value.to_str().ok()) else {
        return Err(Trouble::lasting("the hub redirects to nowhere"));
    };
    parse(&resolved(from, location)?)
}

/// The address that a text stands for in an answer from another one.
fn resolved(from: &Uri, text: &str) -> Result<String, Trouble> {
    let text = text.split('#').next().unwrap_or(text);
    let scheme = from.scheme_str().unwrap_or("https");
    let host = from.authority().map_or("", |authority| authority.as_str());
    // An address in a query does not make the whole an address.
    let names_scheme =
        text.split_once("://").is_some_and(|(scheme, _)| scheme.bytes().all(|b| b.is_ascii_alphanumeric()));
    let absolute = if names_scheme {
        text.to_owned()
    } else if text.starts_with("//") {
        format!("{scheme}:{text}")
    } else if text.starts_with('/') {
        format!("{scheme}://{host}{text}")
    } else if text.starts_with('?') {
        format!("{scheme}://{host}{}{text}", from.path())
    } else {
        let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{host}{folder}/{text}")
    };
    let origin = parse(&absolute).ok().and_then(|uri| Origin::of(&uri));
    let origin = origin.ok_or_else(|| {
        Trouble::lasting(format!("the hub leads to {}, which is no address that is spoken here", plain(&absolute)))
    })?;
    if scheme == "https" && origin.scheme != "https" {
        return Err(Trouble::lasting("the hub leads from a safe connection to an open one; refused"));
    }
    Ok(absolute)
}

/// The address in `Link: <..>; rel="next"`.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let link = headers.get(header::LINK)?.to_str().ok()?;
    link.split(',').find_map(|part| {
        let (url, relation) = part.trim().strip_prefix('<')?.split_once('>')?;
        relation.contains("rel=\"next\"").then(|| url.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn redirected(from: &str, location: &'static str) -> Result<String, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, ureq::http::HeaderValue::from_static(location));
        target(&from.parse().unwrap(), &headers).map(|uri| uri.to_string()).map_err(|trouble| trouble.to_string())
    }

    #[test]
    fn redirects_lead_where_they_say() {
        let from = "http://hub:81/a/b?c";
        for (location, expected) in [
            ("http://cdn/x?sig=1#part", "http://cdn/x?sig=1"),
            ("//cdn/x", "http://cdn/x"),
            ("/x/y", "http://hub:81/x/y"),
            ("z", "http://hub:81/a/z"),
            ("/x?from=http://hub/y", "http://hub:81/x?from=http://hub/y"),
            ("?sig=1", "http://hub:81/a/b?sig=1"),
        ] {
            assert_eq!(redirected(from, location).unwrap(), expected);
        }
        assert!(redirected("https://hub/a", "http://hub/a").unwrap_err().contains("open one"));
        assert!(redirected(from, "file:///etc/passwd").unwrap_err().contains("no address"));
    }

    #[test]
    fn the_next_page_is_found() {
        let mut headers = HeaderMap::new();
        assert_eq!(next_page(&headers), None);
        let link = "<http://hub/1>; rel=\"prev\", <http://hub/3?a=b>; rel=\"next\"";
        headers.insert(header::LINK, ureq::http::HeaderValue::from_static(link));
        assert_eq!(next_page(&headers).as_deref(), Some("http://hub/3?a=b"));
    }

    #[test]
    fn a_silent_hub_is_given_up() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::parse(&format!("http://{}", silent.local_addr().unwrap())).unwrap();
        let client = Client::with_silence(endpoint, None, Duration::from_millis(50));
        let trouble = client.get(&client.url("x"), 0).unwrap_err();
        assert!(trouble.to_string().starts_with("127.0.0.1 was silent for too long"), "{trouble}");
    }
}
