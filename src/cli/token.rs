//! `outreachd token`: a new token for the dashboard and the API, and what stands of it in the file.

use clap::{Args, ValueEnum};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Exit, output};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Whose it is; stands in the event log.
    name: String,
    #[arg(long, value_enum, default_value_t)]
    role: Role,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Role {
    /// Look at everything.
    #[default]
    View,
    /// Also pause, resume, approve, resolve, correct and suppress.
    Operate,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    // 244 random bits of the system.
    let token = format!("ort_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let role = match arguments.role {
        Role::View => "view",
        Role::Operate => "operate",
    };
    let name = serde_json::to_string(&arguments.name)?;
    let digest = hex::encode(Sha256::digest(&token));
    output::remark("The token, for whoever it is for; it is shown this once:");
    output::write(&format!("{token}\n"))?;
    output::remark(&format!(
        "\nUnder `http.tokens` in outreach.yaml:\n    - {{ name: {name}, role: {role}, sha256: {digest} }}"
    ));
    Ok(Exit::Done)
}
