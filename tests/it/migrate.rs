//! Migrations on databases of every past.

use outreachd::store::migrate;

use crate::support::TestDb;

#[tokio::test]
async fn an_empty_database_gets_everything_once() {
    let db = TestDb::empty().await;
    assert!(!migrate::is_current(&db.store()).await.unwrap());
    let report = migrate::run(&db.store()).await.unwrap();
    assert_eq!(report.applied, ["reference", "outreach"]);
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    assert!(migrate::is_current(&db.store()).await.unwrap());
    assert_eq!(migrate::run(&db.store()).await.unwrap(), migrate::Report::default());
}

#[tokio::test]
async fn the_template_is_migrated() {
    let db = TestDb::new().await;
    assert!(migrate::is_current(&db.store()).await.unwrap());
}
