//! A process that is killed while it writes.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::*;

const VICTIM: &str = "database::tests::killing::victim";
const URL: &str = "FLOWSWITCH_TEST_VICTIM";

/// Does nothing by itself; the test below starts it as a process of its own.
#[tokio::test]
async fn victim() {
    let Ok(url) = std::env::var(URL) else {
        return;
    };
    let records = records(&url, "victim").await;
    for number in 1_u128.. {
        records.keep(document(CALL, number, "{\"status\":\"hangup\"}"));
        if number % 50 == 0 {
            records.flush().await.unwrap();
            println!("written {number}");
        }
    }
}

#[tokio::test]
async fn what_was_written_is_there_after_a_kill() {
    on_each(async |url| {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", VICTIM, "--nocapture"])
            .env(URL, url)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let last: usize = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("written ")?.parse().ok())
            .find(|number| *number >= 500)
            .unwrap();
        victim.kill().unwrap();
        victim.wait().unwrap();
        let records = records(url, "a").await;
        let found = records.all(CALL).await.unwrap().len();
        assert!(found >= last, "{found} of {last}");
        assert_eq!(found % 50, 0, "half of a batch");
    })
    .await;
}
