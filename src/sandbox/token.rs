//! The token endpoint between the dialects: who calls, what they hold, what they get.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{
    Inner,
    accounts::{self, Account},
    clients::{AUTHORIZATION_CODE, Client, Issue, Rotation},
    dialects::{Call, Exchange, Grant, Issued, Realm, authenticate},
    grants::{ClientKey, Death, FamilyId, Refused, hash},
    scope,
    state::{DeviceState, State},
    tokens::{self, Facts, Kind},
    wire::OAuthError,
};

/// Answers a token request whose form is right.
pub fn exchange(inner: &Inner, realm: Realm, call: Call) -> Result<serde_json::Value, OAuthError> {
    let now = inner.clock.now();
    let mut state = inner.state();
    let client = state.client(realm, &call.caller.client_id).cloned();
    authenticate(client.as_ref(), &call.caller)?;
    let Some(client) = client else { return Err(OAuthError::invalid_client("unknown client")) };
    if let Err(seconds) = state.count_request(&client, now) {
        let mut error = OAuthError::new("temporarily_unavailable", "too many token requests");
        error.status = axum::http::StatusCode::TOO_MANY_REQUESTS;
        error.retry_after = Some(seconds);
        return Err(error);
    }
    let asked = call.grant?;
    let grant = asked.name();
    if !client.may_use(grant) {
        let text = format!("this client may not use {grant}");
        return Err(OAuthError::new("unauthorized_client", text));
    }
    let mut desk = Desk { inner, state: &mut state, client: &client, grant, now };
    let issued = match asked {
        Grant::Code { code, redirect_uri, verifier } => {
            desk.redeem(&code, redirect_uri.as_deref(), verifier.as_deref())
        }
        Grant::Refresh { token, scope } => desk.refresh(&token, scope.as_deref()),
        Grant::ClientCredentials { scope } => {
            let scope = scope::allow(&client, scope.as_deref())?;
            Ok(desk.begin(None, scope, None, false).1)
        }
        Grant::Device { code } => desk.poll(&code),
        Grant::Exchange(exchange) => desk.exchange(&exchange),
        Grant::Password { user, password, scope } => {
            let account = accounts::find(&user).filter(|_| password == accounts::PASSWORD);
            let account =
                account.ok_or_else(|| OAuthError::invalid_grant("Invalid user credentials"))?;
            let scope = scope::allow(&client, scope.as_deref())?;
            Ok(desk.begin(Some(account), scope, None, true).1)
        }
    }?;
    Ok(realm.dialect().answer(&issued))
}

/// A first token response, as a code exchange would have given it.
pub fn give(
    inner: &Inner,
    realm: Realm,
    client: &str,
    account: &'static Account,
    asked: Option<&str>,
) -> Result<serde_json::Value, OAuthError> {
    let now = inner.clock.now();
    let mut state = inner.state();
    let client = state.client(realm, client).cloned();
    let client = client.ok_or_else(|| OAuthError::invalid_client("unknown client"))?;
    let scope = scope::allow(&client, asked)?;
    let grant = AUTHORIZATION_CODE;
    let mut desk = Desk { inner, state: &mut state, client: &client, grant, now };
    Ok(realm.dialect().answer(&desk.begin(Some(account), scope, None, true).1))
}

/// One authenticated request.
struct Desk<'a> {
    inner: &'a Inner,
    state: &'a mut State,
    client: &'a Client,
    grant: &'static str,
    now: OffsetDateTime,
}

impl<'a> Desk<'a> {
    fn key(&self) -> ClientKey {
        (self.client.realm, self.client.id.clone())
    }

    /// A code, once. The second time all that came of it dies (RFC 6749 section 4.1.2).
    fn redeem(
        &mut self,
        text: &str,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
    ) -> Result<Issued<'a>, OAuthError> {
        let key = self.key();
        let Some(code) = self.state.codes.get(&hash(text)) else {
            return Err(OAuthError::invalid_grant("unknown code"));
        };
        if code.client != key {
            return Err(OAuthError::invalid_grant("this code was given to another client"));
        }
        if let Some(family) = code.redeemed {
            self.state.book.kill(family, Death::CodeReuse);
            return Err(OAuthError::invalid_grant("this code has been used"));
        }
        if self.now >= code.expires_at {
            return Err(OAuthError::invalid_grant("this code has expired"));
        }
        if redirect_uri != Some(code.redirect_uri.as_str()) {
            return Err(OAuthError::invalid_grant("redirect_uri differs from the request's"));
        }
        match (&code.challenge, verifier) {
            (Some(challenge), Some(verifier)) => check_verifier(challenge, verifier)?,
            (Some(_), None) => return Err(OAuthError::invalid_grant("code_verifier is missing")),
            (None, Some(_)) => {
                return Err(OAuthError::invalid_grant("code_verifier without code_challenge"));
            }
            (None, None) => {}
        }
        let (account, scope, nonce) = (code.account, code.scope.clone(), code.nonce.clone());
        let (family, issued) = self.begin(Some(account), scope, nonce, true);
        if let Some(code) = self.state.codes.get_mut(&hash(text)) {
            code.redeemed = Some(family);
        }
        Ok(issued)
    }

    /// Opens a family and gives it its first tokens.
    fn begin(
        &mut self,
        account: Option<&'static Account>,
        scope: Vec<String>,
        nonce: Option<String>,
        may_refresh: bool,
    ) -> (FamilyId, Issued<'a>) {
        let session = self.inner.rng.uuid(self.now);
        let key = self.key();
        let book = &mut self.state.book;
        let family = book.open(key, account, scope.clone(), nonce, session, self.now);
        let wanted = match self.client.refresh.issue {
            Issue::Always => true,
            Issue::OfflineAccess => scope.iter().any(|scope| scope == "offline_access"),
            Issue::Never => false,
        };
        let mut refresh = (None, None);
        if wanted && may_refresh {
            let expires_at = scope::refresh_ttl(self.client, &scope).map(|ttl| self.now + ttl);
            let text = self.mint(Kind::Refresh, account, &scope, session, expires_at);
            self.state.book.add_refresh(family, text.clone(), expires_at, self.now);
            refresh = (Some(text), expires_at);
        }
        (family, self.issue(family, scope, refresh, true))
    }

    fn refresh(&mut self, text: &str, asked: Option<&str>) -> Result<Issued<'a>, OAuthError> {
        let (key, client, now) = (self.key(), self.client, self.now);
        self.inherit(text);
        let granted = match self.state.book.family_of_refresh(text) {
            Some((_, family)) if family.client == key => family.scope.clone(),
            _ => return Err(refused(Refused::Unknown)),
        };
        let scope = scope::narrow(&granted, asked)?;
        let lifetime = scope::refresh_ttl(client, &granted);
        let (inner, issuer) = (self.inner, self.inner.issuer(client.realm));
        let mint = |family: &super::grants::Family, expires_at| {
            let facts = Facts {
                kind: Kind::Refresh,
                issuer: &issuer,
                client,
                account: family.account,
                scope: &family.scope,
                session: family.session,
                at: now,
                expires_at,
            };
            tokens::mint(&*inner.rng, &inner.keys, &facts)
        };
        let refreshed = self
            .state
            .book
            .refresh(text, &key, &client.refresh, lifetime, now, mint)
            .map_err(refused)?;
        // A server that never rotates need not repeat the token, but many do; both are allowed.
        let is_new = refreshed.is_new || client.refresh.rotation == Rotation::Never;
        let refresh = (Some(refreshed.refresh_token), refreshed.expires_at);
        Ok(self.issue(refreshed.family, scope, refresh, is_new))
    }

    /// Takes over a grant from before the server began.
    fn inherit(&mut self, text: &str) {
        let known = self.client.inherits.is_some_and(|beginning| text.starts_with(beginning));
        if known && self.state.book.family_of_refresh(text).is_none() {
            let session = self.inner.rng.uuid(self.now);
            let (key, scope) = (self.key(), self.client.scopes.clone());
            let family = self.state.book.open(key, None, scope, None, session, self.now);
            self.state.book.add_refresh(family, text.to_owned(), None, self.now);
        }
    }

    /// A device asks whether its owner has decided (RFC 8628 section 3.5).
    fn poll(&mut self, text: &str) -> Result<Issued<'a>, OAuthError> {
        let (key, now) = (self.key(), self.now);
        let device = self.state.devices.get_mut(&hash(text)).filter(|device| device.client == key);
        let Some(device) = device else {
            return Err(OAuthError::invalid_grant("unknown device code"));
        };
        if now >= device.expires_at {
            return Err(OAuthError::new("expired_token", "the device code has expired"));
        }
        let too_soon = device.polled_at.is_some_and(|at| now < at + device.interval);
        device.polled_at = Some(now);
        if too_soon {
            device.interval += time::Duration::seconds(super::state::POLL_SECONDS);
            return Err(OAuthError::new("slow_down", "polled before the interval was over"));
        }
        let account = match device.state {
            DeviceState::Pending => {
                return Err(OAuthError::new("authorization_pending", "nobody has decided yet"));
            }
            DeviceState::Denied => {
                return Err(OAuthError::new("access_denied", "the account's owner refused"));
            }
            DeviceState::Allowed(account) => account,
        };
        let scope = device.scope.clone();
        self.state.devices.remove(&hash(text));
        Ok(self.begin(Some(account), scope, None, true).1)
    }

    /// A live access token of this realm becomes a grant of the caller's own for the same account,
    /// with no more scope than it has (RFC 8693 section 2.2). The token itself stays alive.
    fn exchange(&mut self, asked: &Exchange) -> Result<Issued<'a>, OAuthError> {
        let live = self.state.book.find_access(&asked.token, self.now);
        let Some(live) = live.filter(|live| live.of.client.0 == self.client.realm) else {
            return Err(OAuthError::invalid_request("subject_token is unknown or has ended"));
        };
        let (account, held) = (live.of.account, live.scope.to_vec());
        let elsewhere = |text: &str| Err(OAuthError::new("invalid_target", text));
        if let Some(audience) = &asked.audience
            && self.state.client(self.client.realm, audience).is_none()
        {
            return elsewhere("nobody of this name is registered here");
        }
        if let Some(resource) = &asked.resource
            && (!resource.starts_with(&self.inner.base) || resource.contains('#'))
        {
            return elsewhere("this resource is not one of ours");
        }
        let mut scope = scope::narrow(&held, asked.scope.as_deref())?;
        scope.retain(|scope| scope::allow(self.client, Some(scope)).is_ok());
        Ok(self.begin(account, scope, None, true).1)
    }

    /// Gives a family an access token, and says all that the response may tell.
    fn issue(
        &mut self,
        id: FamilyId,
        scope: Vec<String>,
        (refresh_token, refresh_expires_at): (Option<String>, Option<OffsetDateTime>),
        refresh_is_new: bool,
    ) -> Issued<'a> {
        let (account, session, nonce) = match self.state.book.family(id) {
            Some(family) => (family.account, family.session, family.nonce.clone()),
            None => (None, uuid::Uuid::nil(), None),
        };
        let expires_at = self.now + scope::access_ttl(self.client, &scope);
        let access = self.mint(Kind::Access, account, &scope, session, Some(expires_at));
        self.state.book.add_access(id, &access, scope.clone(), self.now, expires_at);
        let wants_id = self.client.realm == Realm::Standard
            && account.is_some()
            && scope.iter().any(|scope| scope == "openid");
        let issuer = self.inner.issuer(self.client.realm);
        let facts = Facts {
            kind: Kind::Access,
            issuer: &issuer,
            client: self.client,
            account,
            scope: &scope,
            session,
            at: self.now,
            expires_at: Some(expires_at),
        };
        let id_token =
            wants_id.then(|| tokens::id_token(&self.inner.keys, &facts, &access, nonce.as_deref()));
        Issued {
            client: self.client,
            account,
            grant: self.grant,
            at: self.now,
            since: self.inner.started_at,
            access_token: access,
            access_expires_at: expires_at,
            refresh_token,
            refresh_expires_at,
            refresh_is_new,
            scope,
            session,
            id_token,
        }
    }

    fn mint(
        &self,
        kind: Kind,
        account: Option<&'static Account>,
        scope: &[String],
        session: uuid::Uuid,
        expires_at: Option<OffsetDateTime>,
    ) -> String {
        let issuer = self.inner.issuer(self.client.realm);
        let (client, at) = (self.client, self.now);
        let facts =
            Facts { kind, issuer: &issuer, client, account, scope, session, at, expires_at };
        tokens::mint(&*self.inner.rng, &self.inner.keys, &facts)
    }
}

/// RFC 7636 section 4.6, S256 only.
fn check_verifier(challenge: &str, verifier: &str) -> Result<(), OAuthError> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return Err(OAuthError::invalid_request("code_verifier is malformed"));
    }
    if BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge {
        Ok(())
    } else {
        Err(OAuthError::invalid_grant("code_verifier does not fit code_challenge"))
    }
}

fn refused(why: Refused) -> OAuthError {
    OAuthError::invalid_grant(match why {
        Refused::Unknown | Refused::OtherClient => "unknown refresh token",
        Refused::Expired => "the refresh token has expired",
        Refused::Idle => "the refresh token lay unused for too long",
        Refused::Reused => "the refresh token has been used",
        Refused::Dead(Death::Reuse) => "the grant was revoked: a used refresh token came again",
        Refused::Dead(Death::CodeReuse) => "the grant was revoked: a used code came again",
        Refused::Dead(Death::Revoked) => "the grant was revoked by the client",
        Refused::Dead(Death::ConsentWithdrawn) => "the account's owner withdrew consent",
        Refused::Dead(Death::SecretReplaced) => "the client's secret was replaced",
    })
}
