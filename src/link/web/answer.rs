//! What a browser asks for: the page's files; and the door, where a page begins a visit and says what it wants.

use super::Machine;
use super::visit::{self, Visits};
use crate::core::guests::{Caller, Guests, Host};
use crate::core::id::hex;
use crate::core::roadside::Roadside;
use crate::core::signature::DeviceKey;
use crate::page::{self, GUARDS};
use crate::wire::web::{DOOR, FromPhone, MESSAGE_BYTES_MAX, Said, ToPhone, decode};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, ETAG, HOST, HeaderName, HeaderValue, IF_NONE_MATCH, ORIGIN};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// All that a page may take to say something.
const SAY_WITHIN: Duration = Duration::from_secs(5);

/// Browsers say by it whose page asks.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(super) type Body = BoxBody<Bytes, Infallible>;

/// A car in a convoy, as phones come to it.
pub(super) struct Place {
    pub(super) machine: Machine,
    pub(super) key: DeviceKey,
    pub(super) name: String,
    pub(super) roadside: Roadside,
    pub(super) guests: Mutex<Guests>,
    pub(super) visits: Arc<Visits>,
}

impl Place {
    pub(super) fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn answer(
    request: Request<Incoming>,
    address: IpAddr,
    place: Arc<Place>,
) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path();
    if let Err((status, reason)) = check_origin(request.headers(), path == DOOR) {
        return Ok(refusing(status, reason));
    }
    Ok(match (request.method(), path == DOOR) {
        (&Method::GET, true) => begin(address, &place),
        (&Method::POST, true) => heard(request.into_body(), &place).await,
        (&Method::GET, false) => file(path, request.headers().get(IF_NONE_MATCH).map(HeaderValue::as_bytes)),
        (_, true) => refusing(StatusCode::METHOD_NOT_ALLOWED, "GET and POST are known here"),
        (_, false) => refusing(StatusCode::METHOD_NOT_ALLOWED, "GET is known here"),
    })
}

/// The page is had by the car's address, as a link says it, and at its door nobody knocks but the page: not another one
/// that is open in the same browser, under a name of its own for this car or not.
fn check_origin(headers: &HeaderMap, is_door: bool) -> Result<(), (StatusCode, &'static str)> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(HOST).unwrap_or_default();
    if host.parse::<SocketAddr>().is_err() && host.trim_matches(['[', ']']).parse::<IpAddr>().is_err() {
        let reason = "this car is come to by its address, as a link says it";
        return Err((StatusCode::MISDIRECTED_REQUEST, reason));
    }
    let is_own = text(ORIGIN).is_none_or(|origin| origin.strip_prefix("https://") == Some(host));
    let is_of_own = text(FETCH_SITE).is_none_or(|site| site == "same-origin");
    if is_door && !(is_own && is_of_own) {
        return Err((StatusCode::FORBIDDEN, "another page than this car's may not knock here"));
    }
    Ok(())
}

fn file(path: &str, known: Option<&[u8]>) -> Response<Body> {
    let Some(file) = page::file(path) else { return refusing(StatusCode::NOT_FOUND, "there is no such file here") };
    let tag = file.tag();
    let is_known = known == Some(tag.as_bytes());
    let (status, text) = if is_known { (StatusCode::NOT_MODIFIED, "") } else { (StatusCode::OK, file.text) };
    let mut response = response(status, file.kind, whole(Bytes::from_static(text.as_bytes())));
    if let Ok(tag) = tag.try_into() {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// A page knocks: its visit is the answer.
fn begin(address: IpAddr, place: &Arc<Place>) -> Response<Body> {
    let Ok(chance) = (place.machine.chance)() else {
        return refusing(StatusCode::SERVICE_UNAVAILABLE, "this machine gives no randomness");
    };
    let challenge = hex(&chance);
    let Some(inbox) = place.visits.begin(&challenge, address) else {
        return refusing(StatusCode::SERVICE_UNAVAILABLE, "too many phones are here; try again in a while");
    };
    let hello = ToPhone::Hello { challenge: challenge.clone() };
    let body = visit::receive(hello, challenge, inbox, place.visits.clone());
    response(StatusCode::OK, "text/event-stream", body)
}

/// A page says something.
async fn heard(body: Incoming, place: &Place) -> Response<Body> {
    let read = match timeout(SAY_WITHIN, Limited::new(body, MESSAGE_BYTES_MAX).collect()).await {
        Ok(Ok(read)) => read.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return refusing(StatusCode::PAYLOAD_TOO_LARGE, "that is longer than anything a page has to say");
        }
        Ok(Err(_)) => return refusing(StatusCode::BAD_REQUEST, "it was cut short"),
        Err(_) => return refusing(StatusCode::REQUEST_TIMEOUT, "it took too long"),
    };
    let FromPhone { challenge, said } = match decode(&read) {
        Ok(heard) => heard,
        Err(error) => return refusing(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    match said {
        Said::Join(caller) => join(&caller, &challenge, place).await,
        Said::Signal(signed) if signed.convoy != place.roadside.convoy => {
            refusing(StatusCode::FORBIDDEN, "that is for another convoy")
        }
        Said::Signal(signed) => {
            if place.visits.hear(&challenge, signed).await {
                response(StatusCode::NO_CONTENT, "application/json", whole(Bytes::new()))
            } else {
                refusing(StatusCode::FORBIDDEN, "nobody has come in this visit who may say that")
            }
        }
    }
}

async fn join(caller: &Caller, challenge: &str, place: &Place) -> Response<Body> {
    if !place.visits.expects(challenge) {
        return refusing(StatusCode::FORBIDDEN, "this visit is over, or somebody came in it already");
    }
    let host = Host { key: &place.key, roadside: &place.roadside, wall: (place.machine.wall)() };
    let admitted = place.guests().admit(caller, challenge, host, place.machine.clock.now());
    match admitted {
        Ok(ticket) if place.visits.join(challenge, &caller.device).await => {
            tracing::info!(device = %caller.device, "a phone has come by a link");
            let (ticket, car, name) = (Box::new(ticket), place.key.device().clone(), place.name.clone());
            said(StatusCode::OK, &ToPhone::Joined { ticket, car, name, called: place.roadside.name.clone() })
        }
        Ok(_) => refusing(StatusCode::FORBIDDEN, "this visit is over"),
        Err(reason) => {
            tracing::info!(%reason, "a phone is not let in");
            refusing(StatusCode::FORBIDDEN, &reason.to_string())
        }
    }
}

fn refusing(status: StatusCode, reason: &str) -> Response<Body> {
    let mut response = said(status, &ToPhone::Refused { reason: reason.into() });
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}

fn said(status: StatusCode, what: &ToPhone) -> Response<Body> {
    response(status, "application/json", whole(Bytes::from(what.encode())))
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).boxed()
}

fn response(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in GUARDS.into_iter().chain([(CONTENT_TYPE.as_str(), kind)]) {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
        headers.insert(name, value);
    }
    response
}
