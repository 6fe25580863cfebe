//! How a database is opened, and what is said when it cannot be.

use super::*;

#[tokio::test]
async fn nodes_that_start_at_once_make_the_tables_once() {
    on_each(async |url| {
        let opened = futures_util::future::join_all((0..4).map(|_| Database::open(url))).await;
        assert!(opened.iter().all(Result::is_ok), "{opened:?}");
        opened[0].as_ref().unwrap().close().await;
        let records = records(url, "a").await;
        assert_eq!(records.all(CALL).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_schema_of_a_newer_version_is_left_alone() {
    on_each(async |url| {
        let database = Database::open(url).await.unwrap();
        let newer = sql::Statement::new("UPDATE meta SET value = '99' WHERE key = 'schema'");
        database.pool.execute(newer).await.unwrap();
        let error = Database::open(url).await.unwrap_err();
        assert!(
            matches!(error, DatabaseError::Newer { found: 99, .. }),
            "{error}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_file_is_made_with_its_directory_for_our_eyes_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/down/flowswitch.db");
    Database::open(&format!("sqlite://{}", path.display()))
        .await
        .unwrap();
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn what_cannot_be_opened_is_said_with_its_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("text");
    std::fs::write(
        &text,
        "no database at all, but long enough to be read as a header of one.".repeat(20),
    )
    .unwrap();
    let text = text.display();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    for (url, part) in [
        (
            "mysql://localhost/x".to_owned(),
            "sqlite:PATH or postgres://".to_owned(),
        ),
        (
            format!("sqlite:{text}"),
            format!("{text} is not an SQLite database"),
        ),
        (
            format!("sqlite:{text}/below"),
            format!("cannot write the database file {text}/below"),
        ),
        (
            format!("postgres://us:sesame@127.0.0.1:{port}/x"),
            format!("server at 127.0.0.1:{port} cannot be reached"),
        ),
        (
            "postgres://us:sesame@127.0.0.1:port/x".to_owned(),
            "named as".to_owned(),
        ),
    ] {
        let error = Database::open(&url).await.unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(error.to_string().contains(&part), "{error}");
        assert!(!said.contains("sesame"), "{said}");
    }
}
