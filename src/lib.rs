//! Keeps outreach providers in step with what git says: never twice, never after stop.
//!
//! Operators declare segments (who) and campaigns (what, through which provider, how much) in YAML.
//! A pass computes each audience in PostgreSQL, compares it with what the provider is known to
//! hold, hands the difference over and writes back what was accepted. The daemon makes a pass whenever
//! something has changed.
//!
//! # The straight line
//!
//! ```text
//! files -> Manifest -> audience SQL -> diff (in PostgreSQL) -> Plan -> guard -> pushes recorded -> provider -> settle and write back
//!        validate |                          plan         |         |                   apply, run
//! ```
//!
//! The commands are one path with different stopping points. [`reconcile::Planner`] runs the statement
//! that [`reconcile::reconcile`] records from, so a preview cannot disagree with the deed. Contacts do not
//! travel into the process to be compared: it holds one provider batch at a time.
//!
//! # Codemap
//!
//! | module | floor | what it is for | what it never does |
//! | --- | --- | --- | --- |
//! | [`model`] | 0 | the nouns as plain values; field catalog; clock | I/O, SQL, YAML |
//! | [`manifest`] | 1 | files to a checked manifest, or every diagnostic at once | ask a database, a provider or the clock |
//! | [`audience`] | 1 | a segment as SQL text and binds; its explain tree | run anything |
//! | [`reply`] | 1 | a mail to what it says and whom it answers | I/O; panic, whatever the mail |
//! | [`store`] | 2 | all SQL: migrations, diff, pushes, leases, private server | decide who is contacted |
//! | [`provider`] | 2 | one file a vendor behind one trait | write to the database, retry by itself |
//! | [`mailbox`] | 2 | IMAP folders, read from where they were left; what was sent | mark a mail, write to the database |
//! | [`simulate`] | 2 | local stand-ins for providers, for rehearsals and tests | know the client |
//! | [`reconcile`] | 3 | the pass: plan, guard, record, push, settle | keep a transaction open across the network |
//! | [`intake`] | 3 | imports; what is bought: enrichment, drafts | guess at a cell, lose a row, buy an answer twice |
//! | [`daemon`] | 4 | the loop: files, time and signals wake it; looks, then passes | keep anything that must survive |
//! | [`web`] | 4 | dashboard, API, metrics; webhooks of providers | decide anything; put personal data into URLs or logs |
//! | [`cli`] | 5 | a file a command | decide anything |
//!
//! A module imports from lower floors only, never from a neighbour on its own. `tests/it/tidy.rs`
//! reads the imports and fails on any other edge; it also holds the length of files, the README's commands
//! and exit codes, and the licences of dependencies.
//!
//! `migrations/` is SQL that creates or completes the database and changes nothing that is there. `schemas/` is generated
//! from the types of `manifest`. `segments/` and `campaigns/` are the examples that the demo runs.
//!
//! # Invariants, and where they are held
//!
//! 1. *Never twice.* A push is committed before its provider is called (`reconcile::pass`); one push of a contact in a
//!    campaign is open at a time and one address is live in a campaign once (unique indexes in `migrations/`); a
//!    claim carries the fencing token of the provider's lease (`store/pushes/claim.sql`).
//! 2. *Never after stop.* The claim checks suppressions again, and leaves the push unsent. Flags of `employees` become
//!    suppressions by trigger, in the transaction that sets them.
//! 3. *Written back if and only if accepted.* Outcome, enrollment and row change in one statement
//!    (`store/pushes/settle.sql`).
//! 4. *Limits hold across processes.* They are counted from recorded pushes, by the database's clock
//!    ([`store::DatabaseClock`]); plans are made and recorded one after the other, under a lease of their own.
//! 5. *In doubt is never guessed at.* A claim whose lease ran out is settled by asking the provider
//!    (`reconcile::recover`), or by a person.
//!
//! [`store::audit`] has a query for each that lists violations. The tests in `tests/it` attack them: a naive model in
//! memory is compared with the SQL, and the real binary is killed between any two steps.
//!
//! What is absent on purpose: session state in the database (poolers in transaction mode work), operator
//! text in SQL other than the reviewed `sql` clause, the machine's clock below `cli`, addresses and names in logs.

pub mod audience;
pub mod cli;
pub mod daemon;
pub mod intake;
pub mod mailbox;
pub mod manifest;
pub mod model;
pub mod provider;
pub mod reconcile;
pub mod reply;
pub mod simulate;
pub mod store;
pub mod web;
