//! Where a peer sends us on to (3xx), and how far we follow: once, and under the policy of a dial.

use super::Switch;
use super::outgoing::Outgoing;
use super::route::{Routes, Way, normal_number};
use crate::call::cause::NoWay;
use crate::ids::CallId;
use crate::sip::message::{Contacts, NameAddr, Response, Uri};

/// Contacts of one redirection that are tried.
const CONTACTS: usize = 5;

impl Switch {
    /// Puts the contacts of a redirection before what is left, as far as the policy allows them
    /// (RFC 3261 §8.1.3.4). `false`: there is nothing in it to follow.
    pub(super) fn redirect(&mut self, id: CallId, response: &Response) -> bool {
        let Ok(Contacts::List(mut contacts)) = response.headers.contacts() else {
            return false;
        };
        contacts.sort_by_key(|contact| std::cmp::Reverse(preference(contact)));
        let routes = Routes {
            directory: &self.config.directory,
            registrar: &self.registrar,
            access: &self.config.access,
        };
        let way_to = |contact: NameAddr| {
            let way = match contact.uri {
                Uri::Sip(uri) => routes.way_to(uri).map(|way| vec![way]),
                Uri::Tel(tel) => routes.ways_to_number(&normal_number(&tel.number)),
                Uri::Other { .. } => Err(NoWay::BadAddress),
            };
            match way {
                Ok(ways) => ways,
                Err(why) => {
                    tracing::warn!(call = %id, %why, "redirection not followed");
                    Vec::new()
                }
            }
        };
        let ways: Vec<Way> = contacts
            .into_iter()
            .take(CONTACTS)
            .flat_map(way_to)
            .take(CONTACTS)
            .map(|way| Way {
                is_redirect: true,
                ..way
            })
            .collect();
        let is_new = |outgoing: &mut Outgoing| !ways.is_empty() && outgoing.send_on(ways);
        self.outgoing(id).is_some_and(is_new)
    }
}

/// Preference of a contact in thousandths (RFC 3261 §20.10).
fn preference(contact: &NameAddr) -> u16 {
    let q = contact.params.value("q").unwrap_or("1");
    let q: f32 = q.parse().unwrap_or(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1000 by the clamp"
    )]
    let thousandths = (q.clamp(0.0, 1.0) * 1000.0) as u16;
    thousandths
}
