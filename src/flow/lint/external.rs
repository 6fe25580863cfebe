//! The words of `external_media_start` together: what can carry sound, and where to.

use super::Surroundings;
use super::place::Place;
use super::rule::Rule;
use super::url::{UrlFault, judge_host};
use crate::flow::external::{Carrier, CarrierError};
use crate::flow::variable::has_placeholder;

/// Notes what cannot be carried; words that hold placeholders are not known yet.
pub(super) fn check(option: &Place<'_>, around: &Surroundings<'_>) {
    let word = |name| option.find(name).and_then(|place| place.text());
    let names = ["encapsulation", "transport", "connection_type", "format"];
    let words = names.map(|name| word(name).unwrap_or_default().trim());
    let [encapsulation, transport, connection_type, format] =
        words.map(|word| if has_placeholder(word) { "" } else { word });
    let has_pair = [words[0], words[1]]
        .iter()
        .any(|word| has_placeholder(word));
    match Carrier::of(encapsulation, transport, connection_type, format) {
        Ok(_) => {}
        Err(CarrierError::Pair) if has_pair => {}
        Err(why) => {
            let (name, remedy) = match why {
                CarrierError::Pair => (
                    "encapsulation",
                    "write rtp and udp, audiosocket and tcp, or none and websocket",
                ),
                CarrierError::NotClient => ("connection_type", "write \"client\", or leave it out"),
                _ => ("format", "write \"ulaw\", \"alaw\" or \"slin\""),
            };
            let place = option.find(name);
            let place = place.as_ref().unwrap_or(option);
            place.note(Rule::WrongValue, why.to_string(), remedy);
        }
    }
    check_host(option, around);
}

fn check_host(option: &Place<'_>, around: &Surroundings<'_>) {
    let Some(place) = option.find("external_host") else {
        return;
    };
    let Some(host) = place.text().map(str::trim).filter(|host| !host.is_empty()) else {
        return;
    };
    let authority = host.split_once("://").map_or(host, |(_, rest)| rest);
    match judge_host(authority, around.permits) {
        Err(UrlFault::Refused) => place.note(
            Rule::RefusedUrl,
            "the outbound policy refuses this host",
            "allow its network in outbound_http.allow",
        ),
        Err(UrlFault::Credentials) => place.note(
            Rule::WrongValue,
            "a user or password in an address is refused",
            "put it into transport_data or data",
        ),
        Ok(()) | Err(UrlFault::NotHttp) => {}
    }
}
