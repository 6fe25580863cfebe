//! Where messages go: back to where a request came from, and along the routes of proxies.

use std::time::Duration;

use crate::call::Setup;
use crate::message::{self, Message};
use crate::phone::{COMMON, Phone, unique};
use crate::rtp::Media;
use crate::switch::{Setting, Switch};
use crate::wav;

const SHORT: &str = r#"[
    {"type": "answer"},
    {"type": "play", "option": {"stream_urls": ["600.wav"]}},
    {"type": "hangup"}
]"#;

fn switch() -> Switch {
    Setting::new()
        .file("600.wav", &wav::plain(600.0, 700))
        .flow("short", SHORT)
        .start()
}

/// The Route values of a request, one each.
fn routes(request: &Message) -> Vec<&str> {
    let values = request.all("Route");
    values.flat_map(|v| v.split(',')).map(str::trim).collect()
}

#[test]
fn answer_goes_to_where_the_request_came_from() {
    let switch = switch();
    let mut phone = Phone::udp(&switch);
    let via = format!(
        "SIP/2.0/UDP 192.0.2.7:5999;rport;branch=z9hG4bK{}",
        unique("nat")
    );
    let options = phone.request("OPTIONS", &phone.uri("tone")).without("Via");
    let mut natted = options.clone();
    natted.headers.insert(0, ("Via".into(), via));
    let answer = phone.exchange(&natted);
    let via = answer.header("Via").unwrap();
    assert!(via.contains("received=127.0.0.1"), "{via}");
    assert!(
        via.contains(&format!("rport={}", phone.local.port())),
        "{via}"
    );
}

#[test]
fn route_of_a_proxy_is_kept_by_the_dialog() {
    let switch = switch();
    let phone = Phone::udp(&switch);
    let media = Media::new(phone.local.ip());
    let offer = message::sdp(media.local(), COMMON, "sendrecv", 1);
    let proxy = format!("<sip:proxy@{};lr>", phone.local);
    let invite = phone
        .request("INVITE", &phone.uri("short"))
        .body("application/sdp", offer)
        .with("Record-Route", &proxy)
        .with("Record-Route", "<sip:inner.invalid;lr>");
    let mut call = Setup::send(phone, media, invite).answered();
    let echoed: Vec<&str> = call
        .answer
        .all("Record-Route")
        .flat_map(|v| v.split(", "))
        .collect();
    assert_eq!(echoed, [proxy.as_str(), "<sip:inner.invalid;lr>"]);
    call.media.hears(600.0);
    // The BYE of the switch is sent to the first route, with the whole set and the contact as its URI.
    let bye = call.is_hung_up_within(Duration::from_secs(3));
    assert_eq!(routes(&bye), [proxy.as_str(), "<sip:inner.invalid;lr>"]);
    assert!(
        bye.start_line
            .contains(&format!("phone@{}", call.phone.local)),
        "{}",
        bye.start_line
    );
}

#[test]
fn strict_route_takes_the_request_uri_and_the_contact_goes_last() {
    let switch = switch();
    let phone = Phone::udp(&switch);
    let media = Media::new(phone.local.ip());
    let offer = message::sdp(media.local(), COMMON, "sendrecv", 1);
    // A proxy of RFC 2543: its route has no `lr` (RFC 3261 §12.2.1.1).
    let strict = format!("sip:old@{}", phone.local);
    let invite = phone
        .request("INVITE", &phone.uri("short"))
        .body("application/sdp", offer)
        .with(
            "Record-Route",
            format!("<{strict}>, <sip:inner.invalid;lr>"),
        );
    let mut call = Setup::send(phone, media, invite).answered();
    call.media.hears(600.0);
    let bye = call.is_hung_up_within(Duration::from_secs(3));
    assert_eq!(bye.start_line, format!("BYE {strict} SIP/2.0"));
    let contact = format!("<sip:phone@{}>", call.phone.local);
    assert_eq!(routes(&bye), ["<sip:inner.invalid;lr>", contact.as_str()]);
}
