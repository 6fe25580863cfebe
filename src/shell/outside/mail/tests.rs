use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A mail server on loopback: what it was told, line by line, and the mails it took.
struct MailServer {
    port: u16,
    said: Arc<Mutex<Vec<String>>>,
    mails: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    /// `rcpt` is what it answers to RCPT TO.
    async fn start(rcpt: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            said: Arc::default(),
            mails: Arc::default(),
        };
        let (said, mails) = (Arc::clone(&server.said), Arc::clone(&server.mails));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(
                    stream,
                    rcpt,
                    Arc::clone(&said),
                    Arc::clone(&mails),
                ));
            }
        });
        server
    }

    fn mailer(&self) -> Mailer {
        let port = self.port;
        Mailer::new(&SmtpConfig {
            url: format!("smtp://user:pa%20ss@127.0.0.1:{port}"),
            from: "Switch <switch@example.com>".to_owned(),
        })
        .unwrap()
    }

    fn mail(&self) -> String {
        let mails = self.mails.lock().unwrap();
        assert_eq!(mails.len(), 1);
        mails[0].clone()
    }
}

async fn converse(
    mut stream: TcpStream,
    rcpt: &str,
    said: Arc<Mutex<Vec<String>>>,
    mails: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 mail.example\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        said.lock().unwrap().push(line.clone());
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-mail.example\r\n250 AUTH PLAIN",
            "AUTH" => "235 welcome",
            "RCPT" => rcpt,
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await?;
                let mut mail = String::new();
                while let Some(line) = lines.next_line().await? {
                    if line == "." {
                        break;
                    }
                    mail += &line;
                    mail += "\n";
                }
                mails.lock().unwrap().push(mail);
                "250 taken"
            }
            _ => "250 yes",
        };
        writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

fn to(target: &str, name: &str) -> flow::Address {
    flow::Address {
        kind: "email".to_owned(),
        target: target.to_owned(),
        target_name: name.to_owned(),
        ..flow::Address::default()
    }
}

fn mail(subject: &str) -> Mail {
    Mail {
        destinations: vec![to("ann@example.org", "Ann"), to("bob@example.org", "")],
        subject: subject.to_owned(),
        content: "hello\n.\nthere".to_owned(),
        attachments: Vec::new(),
    }
}

fn headers(mail: &str) -> Vec<String> {
    let head = mail.split("\n\n").next().unwrap().replace("\n ", " ");
    head.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn mail_goes_to_everybody_with_subject_and_text_and_the_password_is_used() {
    let server = MailServer::start("250 yes").await;
    let sent = server.mailer().send(mail("Voicemail from +1555")).await;
    assert_eq!(sent, Ok(OutsideAnswer::Done));
    let said = server.said.lock().unwrap().join("\n");
    // \0user\0pa ss in base64 (RFC 4616).
    assert!(said.contains("AUTH PLAIN AHVzZXIAcGEgc3M="), "{said}");
    assert!(said.contains("MAIL FROM:<switch@example.com>"), "{said}");
    assert!(
        said.contains("RCPT TO:<ann@example.org>\nRCPT TO:<bob@example.org>"),
        "{said}"
    );
    let mail = server.mail();
    let headers = headers(&mail);
    for header in [
        "From: Switch <switch@example.com>",
        "To: Ann <ann@example.org>, bob@example.org",
        "Subject: Voicemail from +1555",
    ] {
        assert!(
            headers.iter().any(|line| line == header),
            "{header}: {mail}"
        );
    }
    assert!(mail.contains("\nhello\n..\nthere\n"), "{mail}");
}

#[tokio::test]
async fn no_text_of_a_flow_begins_a_header_or_another_mail() {
    let server = MailServer::start("250 yes").await;
    let mut hostile = mail("hi\r\nBcc: all@example.org\r\n\r\nbody\r\n.\r\nMAIL FROM:<x@y>");
    hostile.destinations[0].target_name = "Ann\r\nBcc: all@example.org\0".to_owned();
    let sent = server.mailer().send(hostile).await;
    assert_eq!(sent, Ok(OutsideAnswer::Done));
    let mail = server.mail();
    let headers = headers(&mail);
    assert!(
        !headers
            .iter()
            .any(|line| line.to_ascii_lowercase().starts_with("bcc")),
        "{mail}"
    );
    assert_eq!(
        headers
            .iter()
            .filter(|line| line.starts_with("Subject: "))
            .count(),
        1
    );
    let senders = server.said.lock().unwrap();
    let senders = senders.iter().filter(|line| line.starts_with("MAIL FROM"));
    assert_eq!(senders.count(), 1);
}

#[tokio::test]
async fn destination_that_is_no_address_is_refused_before_anything_is_sent() {
    let server = MailServer::start("250 yes").await;
    for target in [
        "",
        "ann",
        "a@b\r\nRCPT TO:<c@d>",
        "ann@example.org, bob@example.org",
        "<ann@example.org>",
    ] {
        let mut wrong = mail("hi");
        wrong.destinations = vec![to(target, "")];
        let sent = server.mailer().send(wrong).await;
        assert_eq!(sent, Err(OutsideFailure::Refused), "{target:?}");
    }
    let mut nobody = mail("hi");
    nobody.destinations.clear();
    assert_eq!(
        server.mailer().send(nobody).await,
        Err(OutsideFailure::Refused)
    );
    let mut everybody = mail("hi");
    everybody.destinations = vec![to("ann@example.org", ""); DESTINATIONS + 1];
    assert_eq!(
        server.mailer().send(everybody).await,
        Err(OutsideFailure::Refused)
    );
    assert!(server.said.lock().unwrap().is_empty());
}

#[tokio::test]
async fn recordings_are_attached_and_those_that_cannot_be_read_or_are_too_large_are_left_out() {
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str| place.path().join(name);
    std::fs::write(file("call_in.wav"), b"RIFF\0\xff\x80\0").unwrap();
    let huge = std::fs::File::create(file("huge.wav")).unwrap();
    huge.set_len(ATTACHMENTS + 1).unwrap();
    let server = MailServer::start("250 yes").await;
    let mut with_sound = mail("voicemail");
    with_sound.attachments = vec![file("huge.wav"), file("call_in.wav"), file("none.wav")];
    let sent = server.mailer().send(with_sound).await;
    assert_eq!(sent, Ok(OutsideAnswer::Done));
    let mail = server.mail();
    assert_eq!(
        mail.matches("Content-Disposition: attachment").count(),
        1,
        "{mail}"
    );
    assert!(mail.contains("filename=\"call_in.wav\""), "{mail}");
    assert!(mail.contains("Content-Type: audio/wav"), "{mail}");
    // Octets that are no text, in base64.
    assert!(mail.contains("UklGRgD/gAA="), "{mail}");
}

#[tokio::test]
async fn server_that_refuses_is_told_from_one_that_cannot_now_and_from_one_that_is_not_there() {
    for (rcpt, failure) in [
        ("550 nobody of that name", OutsideFailure::Refused),
        ("451 later", OutsideFailure::Unavailable),
    ] {
        let server = MailServer::start(rcpt).await;
        assert_eq!(
            server.mailer().send(mail("hi")).await,
            Err(failure),
            "{rcpt}"
        );
    }
    let server = MailServer::start("250 yes").await;
    let nobody = MailServer { port: 9, ..server };
    let sent = nobody.mailer().send(mail("hi")).await;
    assert_eq!(sent, Err(OutsideFailure::Unavailable));
}

#[tokio::test]
async fn password_is_not_sent_in_the_clear_to_another_machine_unless_it_is_said_so() {
    for (url, expected) in [
        (
            "smtp://u:p@mail.example:587",
            Some("smtp://u:p@mail.example:587?tls=required"),
        ),
        (
            "smtp://mail.example",
            Some("smtp://mail.example?tls=opportunistic"),
        ),
        (
            "smtp://u:p@127.0.0.1:25",
            Some("smtp://u:p@127.0.0.1:25?tls=opportunistic"),
        ),
        (
            "smtp://u:p@mail.example?tls=none",
            Some("smtp://u:p@mail.example?tls=none"),
        ),
        ("smtps://u:p@mail.example", Some("smtps://u:p@mail.example")),
        ("http://mail.example", None),
        ("mail.example", None),
    ] {
        assert_eq!(
            with_tls(url).map(String::from).as_deref(),
            expected,
            "{url}"
        );
    }
    let config = SmtpConfig {
        url: "smtp://u:secret@mail.example".to_owned(),
        from: "a@example.com".to_owned(),
    };
    assert!(!format!("{config:?}").contains("secret"));
    assert!(!format!("{:?}", Mailer::new(&config).unwrap()).contains("secret"));
}
