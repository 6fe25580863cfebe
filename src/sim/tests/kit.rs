//! What stories of two and more have in common.

use serde_json::{Value, json};

use crate::sim::plan::Plan;
use crate::sim::world::{PhoneId, World};
use crate::sip::SipHost;
use crate::sip::message::Host;
use crate::store::trunks::{Trunk, TrunkOut, TrunkTable};

/// A trunk by this name that is reached at a host of the same name.
pub(super) fn out(name: &str) -> TrunkOut {
    let host = SipHost {
        host: Host::Name(name.to_owned()),
        port: None,
        transport: None,
    };
    TrunkOut::new(host)
}

/// A world with these trunks, which are called by their hosts.
pub(super) fn plan_with(seed: u64, trunks: Vec<TrunkOut>) -> Plan {
    let mut plan = Plan::new(seed);
    let trunk = |out: TrunkOut| Trunk {
        name: out.host.host.to_string(),
        networks: Vec::new(),
        out: Some(out),
    };
    plan.directory.trunks = TrunkTable::new(trunks.into_iter().map(trunk).collect());
    plan
}

/// A world with the trunk `carrier.example` for all numbers.
pub(super) fn trunk_plan(seed: u64) -> Plan {
    plan_with(seed, vec![out("carrier.example")])
}

/// Connects with +15551112222, or as `option` says; then says 700 Hz for two seconds and hangs up.
pub(super) fn connect_then_talk(option: &Value) -> Value {
    let mut connect = json!({"destinations": [{"type": "tel", "target": "+15551112222"}]});
    for (name, value) in option.as_object().into_iter().flatten() {
        connect[name] = value.clone();
    }
    json!([
        {"type": "connect", "option": connect},
        {"type": "talk", "option": {"text": "tone 700 2000"}},
        {"type": "hangup"},
    ])
}

/// A telephone that says a tone.
pub(super) fn speaking(world: &mut World, user: &str, ip: &str, hertz: u16) -> PhoneId {
    let phone = world.phone(user, ip);
    world.with(phone, |phone, _| phone.habits.tone = Some(hertz));
    phone
}
