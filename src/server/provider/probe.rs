//! A way in for the fuzzer and the benchmark (`fuzz/`), which see neither requests nor answers from
//! outside this room, and for a test of what calls cost. No build that is shipped has the feature `probe`.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use time::{OffsetDateTime, macros::datetime};

use super::{
    Error, Grant, Refusal, Registration,
    golden::Golden,
    guard::Answer,
    jwt,
    redact::Redactor,
    response::Origin,
    token::{self, Intent},
};
use crate::{domain::provider::Profile, server::clock::Rng};

/// When every request here is sent.
pub const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);

/// Every secret there is in a request made here. Its characters are such that no two of the ways
/// to encode it give the same.
pub const CLIENT_SECRET: &str = r#"kL9 client/+secret "very" long&odd=%%"#;
pub const REFRESH_TOKEN: &str = "rT7.the-refresh-token/+of~this connection";
pub const CODE: &str = "cD5:the+authorization code/of=it";
/// From RFC 7636 appendix B.
pub const CODE_VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Gives the same byte for ever.
struct FixedRng;

impl Rng for FixedRng {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0x42);
    }
}

/// A preset with a client of its own.
pub struct Case {
    pub profile: Profile,
    variables: BTreeMap<String, String>,
    client_id: String,
    client_secret: SecretString,
    refresh_token: SecretString,
    code: SecretString,
    code_verifier: SecretString,
    /// A documented token response.
    pub sample: Vec<u8>,
    /// Documented refusals, each with its status.
    pub refusals: Vec<(u16, String)>,
}

/// What a request leaves behind for the reading of its answer.
pub struct Asked {
    redactor: Redactor,
    sent_basic: bool,
    origin: Origin,
    /// As it went out, headers and body.
    pub wire: Vec<u8>,
}

impl Case {
    /// A profile with the values and samples of its golden file.
    pub fn new(profile: Profile, golden: &str) -> Result<Self, String> {
        let golden = Golden::read(golden.split(super::golden::DERIVED).next().unwrap_or_default())?;
        let mut variables = golden.variables;
        for variable in &profile.variables {
            if variable.default.as_deref().is_none_or(str::is_empty)
                && let Some(first) = variable.choices.first()
            {
                variables.entry(variable.name.clone()).or_insert_with(|| first.value.clone());
            }
        }
        let sample = golden.response.ok_or("has no sample response")?;
        Ok(Self {
            profile,
            variables,
            client_id: golden.client_id.unwrap_or_else(|| "the-client-id".into()),
            client_secret: CLIENT_SECRET.into(),
            refresh_token: REFRESH_TOKEN.into(),
            code: CODE.into(),
            code_verifier: CODE_VERIFIER.into(),
            sample: sample.to_string().into_bytes(),
            refusals: golden.refusals,
        })
    }

    fn registration(&self) -> Registration<'_> {
        Registration {
            profile: &self.profile,
            variables: &self.variables,
            client_id: &self.client_id,
            client_secret: Some(&self.client_secret),
            scopes: &self.profile.authorization.default_scopes,
            redirect_uri: "https://regrant.example/oauth/callback",
        }
    }

    fn intent(&self, refresh: bool) -> Intent<'_> {
        match refresh {
            true => Intent::Refresh { refresh_token: &self.refresh_token },
            false => Intent::Exchange { code: &self.code, code_verifier: &self.code_verifier },
        }
    }

    /// Builds the request that redeems a code or a refresh token; its body's length.
    pub fn build(&self, refresh: bool) -> Result<usize, Error> {
        let registration = self.registration();
        token::prepare(&registration, self.intent(refresh), NOW, &FixedRng)
            .map(|prepared| prepared.body.len())
    }

    pub fn ask(&self, refresh: bool) -> Result<Asked, Error> {
        let registration = self.registration();
        let prepared = token::prepare(&registration, self.intent(refresh), NOW, &FixedRng)?;
        let mut wire = prepared.url.as_str().as_bytes().to_vec();
        for value in prepared.headers.values() {
            wire.push(b'\n');
            wire.extend(value.as_bytes());
        }
        wire.push(b'\n');
        wire.extend(&prepared.body);
        let sent_basic = token::is_basic(&prepared);
        let origin = if refresh { Origin::Refresh } else { Origin::Beginning };
        Ok(Asked { redactor: prepared.redactor, sent_basic, origin, wire })
    }

    /// Reads an answer as if it had just come. Headers that HTTP does not know are left out.
    pub fn read(
        &self,
        asked: &Asked,
        status: u16,
        headers: &[(&[u8], &[u8])],
        body: &[u8],
    ) -> Result<Grant, Refusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
            {
                map.append(name, value);
            }
        }
        let answer = Answer { status, headers: map, body: body.to_vec() };
        let registration = self.registration();
        let issuer = registration.issuer()?;
        let expected = jwt::Expected {
            issuer: issuer.as_deref(),
            client_id: registration.client_id,
            nonce: None,
            now: NOW,
        };
        let (redactor, basic) = (&asked.redactor, asked.sent_basic);
        token::read(&registration, &answer, asked.origin, &expected, redactor, basic, NOW)
            .map(|(grant, _)| grant)
    }
}

#[cfg(test)]
mod tests;
