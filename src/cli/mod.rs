//! The command line: a file a command. Text for people on a terminal, JSON for programs.
//!
//! The answer goes to stdout; progress, logs and errors to stderr. Nothing is decided here.

mod adopt;
mod apply;
mod audit;
mod classify;
mod contact;
mod demo;
mod draft;
mod drafts;
mod enrich;
mod exit;
mod explain;
mod feedback;
mod forecast;
mod history;
mod import;
mod logging;
mod mail;
mod mailboxes;
mod migrate;
#[cfg(feature = "otlp")]
mod otlp;
mod output;
mod pause;
mod plan;
mod reclassify;
mod replies;
mod resolve;
mod run;
mod schema;
mod segment;
mod session;
mod simulate;
mod status;
mod suppress;
mod token;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

pub use exit::Exit;

/// How long an ended command waits for what it cannot drop.
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// In the help of each command its own options come first.
const EVERYWHERE: &str = "Options of every command";

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Globals {
    /// Project folder: where outreach.yaml, segments/ and campaigns/ are.
    #[arg(short = 'C', long = "directory", global = true, help_heading = EVERYWHERE, default_value = ".", value_name = "DIR")]
    root: PathBuf,
    /// Database to use; without it (here, in the environment, in outreach.yaml) a private one is run.
    #[arg(long, global = true, help_heading = EVERYWHERE, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// Say less.
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    quiet: bool,
    /// Say more; twice for every statement.
    #[arg(short, long, global = true, help_heading = EVERYWHERE, action = clap::ArgAction::Count)]
    verbose: u8,
    /// How the log is written.
    #[arg(long, global = true, help_heading = EVERYWHERE, env = "OUTREACHD_LOG_FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
    /// No colour, even on a terminal.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    no_color: bool,
}

/// Keeps outreach providers in step with what git says: never twice, never after stop.
#[derive(Debug, Parser)]
#[command(name = "outreachd", version, propagate_version = true, disable_help_subcommand = true)]
struct Arguments {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the main job, end to end, on made-up people and a database of its own.
    Demo(demo::Arguments),
    /// Check the declared files; with --database also against the database.
    Validate(validate::Arguments),
    /// Show what apply would do. Changes nothing.
    Plan(plan::Arguments),
    /// Bring providers and database to what is declared.
    Apply(apply::Arguments),
    /// Watch the files and keep providers in step, for ever.
    Run(run::Arguments),
    /// Hold a campaign back, beside its file: nobody enters, stops go out.
    Pause(pause::Pause),
    /// Let a paused campaign go on.
    Resume(pause::Resume),
    /// Campaigns, counts, last pass, what is blocked or in doubt.
    Status(status::Arguments),
    /// What will be handed over when, under limits, ramps, windows and schedules. Changes nothing.
    Forecast(forecast::Arguments),
    /// Why a contact is, or is not, in a campaign.
    Explain(explain::Arguments),
    /// Read mailboxes and what providers tell of contacts, now: sent, replied, bounced, unsubscribed.
    Feedback(feedback::Arguments),
    /// Answers that were read in mailboxes: those that wait for a person's word, and what one is.
    Replies(replies::Arguments),
    /// Read kept mails by the present rules again, and bring contacts to what they say now.
    Reclassify(reclassify::Arguments),
    /// The latest passes.
    History(history::Arguments),
    /// Look for violations of what outreachd promises.
    Audit(audit::Arguments),
    /// Take over a campaign that was made at its provider by hand.
    Adopt(adopt::Arguments),
    /// Settle a push in doubt by hand.
    Resolve(resolve::Arguments),
    /// Addresses and domains that are never written to.
    Suppress(suppress::Arguments),
    /// Look at one segment: each clause, and what it lets in.
    Segment(segment::Arguments),
    /// One contact, and the fields that people keep of it.
    Contact(contact::Arguments),
    /// Look addresses, missing ones and company facts up, within the budget of credits.
    Enrich(enrich::Arguments),
    /// Have a model draft fields for the contacts that campaigns would take next.
    Draft(draft::Arguments),
    /// Look at drafts, and decide on them.
    Drafts(drafts::Arguments),
    /// Import companies or employees from CSV or JSON Lines.
    Import(import::Arguments),
    /// Stand in for a provider on this machine, to rehearse on.
    Simulate(simulate::Arguments),
    /// What mails say: bounce, complaint, unsubscribe, automatic answer, question, reply. Needs no database.
    Classify(classify::Arguments),
    /// Write a campaign's mails as pages to look at. Sends nothing.
    Preview(mail::preview::Arguments),
    /// Send a campaign's mails to oneself. Records nothing.
    Test(mail::test::Arguments),
    /// Make a token for the dashboard and the API.
    Token(token::Arguments),
    /// Create or adopt the database's tables.
    Migrate(migrate::Arguments),
    /// Write the JSON Schemas of the declared files.
    Schema(schema::Arguments),
}

impl Command {
    /// Whether the command itself decides what a signal means.
    const fn minds_signals(&self) -> bool {
        matches!(self, Self::Run(_))
    }

    /// Whether it runs unattended, so that its log is what people read.
    const fn is_service(&self) -> bool {
        matches!(self, Self::Run(_))
    }
}

/// Runs the process: reads arguments, runs one command, returns its exit code.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers; anything else is misuse.
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            return code.into();
        }
    };
    let globals = &arguments.globals;
    if globals.no_color {
        anstream::ColorChoice::Never.write_global();
    }
    let logging = logging::start(globals, arguments.command.is_service());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let exit = match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(interruptible(arguments));
            if exit.as_ref().is_ok_and(|exit| exit.is_by_signal()) {
                // A private server that is just being started is stopped again.
                runtime.shutdown_timeout(LAST_PATIENCE);
            } else {
                // A blocking reader of a terminal must not hold up the exit.
                runtime.shutdown_background();
            }
            exit
        }
        Err(error) => Err(anyhow::Error::new(error).context("could not start the runtime")),
    };
    logging.end();
    match exit {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::error(&error);
            Exit::of(&error).into()
        }
    }
}

async fn interruptible(arguments: Arguments) -> anyhow::Result<Exit> {
    // The daemon finishes what is in flight.
    if arguments.command.minds_signals() {
        return run(arguments).await;
    }
    tokio::select! {
        result = run(arguments) => result,
        exit = asked_to_end() => exit,
    }
}

/// Waits for a signal. The command is dropped then, which stops a private server.
async fn asked_to_end() -> anyhow::Result<Exit> {
    let listen = |kind| signal(kind).context("could not listen for signals");
    let (mut end, mut hangup) = (listen(SignalKind::terminate())?, listen(SignalKind::hangup())?);
    tokio::select! {
        result = tokio::signal::ctrl_c() => result.map(|()| Exit::Interrupted).context("could not listen for signals"),
        _ = end.recv() => Ok(Exit::Terminated),
        _ = hangup.recv() => Ok(Exit::HungUp),
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let globals = &arguments.globals;
    match arguments.command {
        Command::Demo(arguments) => Box::pin(demo::run(globals, &arguments)).await,
        Command::Validate(arguments) => validate::run(globals, &arguments).await,
        Command::Plan(arguments) => plan::run(globals, &arguments).await,
        Command::Apply(arguments) => apply::run(globals, &arguments).await,
        Command::Run(arguments) => Box::pin(run::run(globals, &arguments)).await,
        Command::Pause(arguments) => pause::pause(globals, &arguments).await,
        Command::Resume(arguments) => pause::resume(globals, &arguments).await,
        Command::Status(arguments) => status::run(globals, &arguments).await,
        Command::Forecast(arguments) => forecast::run(globals, &arguments).await,
        Command::Explain(arguments) => explain::run(globals, &arguments).await,
        Command::Feedback(arguments) => feedback::run(globals, &arguments).await,
        Command::Replies(arguments) => replies::run(globals, &arguments).await,
        Command::Reclassify(arguments) => reclassify::run(globals, &arguments).await,
        Command::History(arguments) => history::run(globals, &arguments).await,
        Command::Audit(arguments) => audit::run(globals, &arguments).await,
        Command::Adopt(arguments) => adopt::run(globals, &arguments).await,
        Command::Resolve(arguments) => resolve::run(globals, &arguments).await,
        Command::Suppress(arguments) => suppress::run(globals, &arguments).await,
        Command::Segment(arguments) => segment::run(globals, &arguments).await,
        Command::Contact(arguments) => contact::run(globals, &arguments).await,
        Command::Enrich(arguments) => enrich::run(globals, &arguments).await,
        Command::Draft(arguments) => draft::run(globals, &arguments).await,
        Command::Drafts(arguments) => drafts::run(globals, &arguments).await,
        Command::Import(arguments) => import::run(globals, &arguments).await,
        Command::Simulate(arguments) => simulate::run(globals, &arguments).await,
        Command::Classify(arguments) => classify::run(globals, &arguments),
        Command::Preview(arguments) => mail::preview::run(globals, &arguments).await,
        Command::Test(arguments) => mail::test::run(globals, &arguments).await,
        Command::Token(arguments) => token::run(&arguments),
        Command::Migrate(arguments) => migrate::run(globals, &arguments).await,
        Command::Schema(arguments) => schema::run(globals, &arguments),
    }
}
