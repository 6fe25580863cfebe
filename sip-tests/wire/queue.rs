//! Callers wait in a queue, hear its wait flow, and get an agent.

use std::time::Duration;

use crate::phone::Phone;
use crate::switch::{Setting, Switch};
use crate::wav;

const QUEUE: &str = "5f1d1c6e-0d5b-4a3c-8f57-3f1b7f4d2e01";

fn switch(more: &str) -> Switch {
    let queue = format!(
        "[[queues]]\nid = \"{QUEUE}\"\nname = \"support\"\nwait_flow = \"waiting\"\ntags = [\"support\"]\n{more}\n\
         [[agents]]\nname = \"Ann\"\ntags = [\"support\"]\naddresses = [{{ type = \"extension\", target = \"1001\" }}]\n\
         [[agents]]\nname = \"Ben\"\ntags = [\"sales\"]\naddresses = [{{ type = \"extension\", target = \"1002\" }}]"
    );
    Setting::new()
        .extension("1001")
        .extension("1002")
        .config(&queue)
        .file("600.wav", &wav::plain(600.0, 1000))
        .flow(
            "waiting",
            r#"[{"type": "play", "option": {"stream_urls": ["440.wav"]}}]"#,
        )
        .flow(
            "support",
            &format!(
                r#"[{{"type": "answer"}},
                    {{"type": "queue_join", "option": {{"queue_id": "{QUEUE}"}}}},
                    {{"type": "play", "option": {{"stream_urls": ["600.wav"]}}}},
                    {{"type": "hangup"}}]"#
            ),
        )
        .start()
}

#[test]
fn caller_waits_speaks_with_the_agent_and_the_flow_goes_on() {
    let switch = switch("");
    let ann = Phone::extension(&switch, "1001");
    let mut ben = Phone::extension(&switch, "1002");
    let caller = Phone::udp(&switch).dial("support");
    let mut incoming = ann.called();
    incoming.rings();
    caller.media.hears(440.0);
    let agent = incoming.answers();
    caller.plays(500.0);
    agent.plays(700.0);
    caller.media.hears(700.0);
    agent.media.hears(500.0);
    assert!(
        !ben.is_rung_within(Duration::from_millis(10)),
        "an agent of another tag is called"
    );
    agent.hang_up();
    caller.media.hears(600.0);
    caller.hang_up();
}

#[test]
fn caller_that_nobody_takes_goes_on_after_the_wait_timeout() {
    let switch = switch("wait_timeout = 2000");
    let caller = Phone::udp(&switch).dial("support");
    caller.media.hears(440.0);
    caller.media.hears(600.0);
    caller.hang_up();
}

#[test]
fn agent_that_refuses_is_called_again_while_the_caller_waits() {
    let switch = switch("");
    let ann = Phone::extension(&switch, "1001");
    let caller = Phone::udp(&switch).dial("support");
    let ann = ann.called().refuses("486 Busy Here");
    caller.media.hears(440.0);
    // It rests for ten seconds.
    let agent = ann.called_within(Duration::from_secs(13)).answers();
    agent.plays(700.0);
    caller.media.hears(700.0);
    let mut agent = agent;
    caller.hang_up();
    agent.is_hung_up_within(Duration::from_secs(2));
}
