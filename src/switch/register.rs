//! Requests outside of calls: REGISTER, OPTIONS, MESSAGE.

use std::sync::Arc;
use std::time::Instant;

use super::Switch;
use crate::sip::auth::Verdict;
use crate::sip::message::{HeaderName, Method, Request, Response, Status};
use crate::sip::{ALLOW, Hop, RequestId, SUPPORTED};

impl Switch {
    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        id: RequestId,
        request: &Arc<Request>,
        hop: Hop,
    ) {
        let response = match request.method {
            Method::Message => return self.receive_text(now, id, request, &hop),
            Method::Register => self.register(now, request, hop),
            Method::Options if self.is_trusted(now, &hop) => Some(self.options(request)),
            _ if self.is_trusted(now, &hop) => {
                let mut response = Response::to(request, Status::METHOD_NOT_ALLOWED);
                response.headers.push(HeaderName::Allow, ALLOW);
                Some(response)
            }
            _ => None,
        };
        match response {
            Some(response) => self.endpoint.respond(now, id, response),
            None => self.endpoint.ignore_request(id),
        }
    }

    /// A stranger may register as anyone may, if it proves who it is; whether the extension exists is
    /// not to be seen from the answer.
    fn register(&mut self, now: Instant, request: &Request, hop: Hop) -> Option<Response> {
        let access = &self.config.access;
        let source = hop.remote.ip();
        match self
            .authenticator
            .check(now, request, source, |user| access.password(user))
        {
            Verdict::Accepted { username } => {
                tracing::trace!(extension = %username, remote = %hop.remote, "register");
                Some(self.registrar.handle_register(now, &username, request, hop))
            }
            Verdict::Challenge(challenges) => {
                let mut response = Response::to(request, Status::UNAUTHORIZED);
                for challenge in challenges {
                    response
                        .headers
                        .push(HeaderName::WwwAuthenticate, challenge);
                }
                Some(response)
            }
            Verdict::Barred => {
                if let Some(others) = self.bars.pass(now) {
                    tracing::warn!(remote = %hop.remote, others, "barred after failed registrations");
                }
                None
            }
        }
    }

    /// Says what we can do (RFC 3261 §11.2); a switch that takes no calls says so.
    fn options(&self, request: &Request) -> Response {
        let status = match self.stopping {
            None => Status::OK,
            Some(_) => Status::SERVICE_UNAVAILABLE,
        };
        let mut response = Response::to(request, status);
        response.headers.push(HeaderName::Allow, ALLOW);
        response.headers.push(HeaderName::Supported, SUPPORTED);
        response
            .headers
            .push(HeaderName::Accept, "application/sdp, text/plain");
        response
    }
}
