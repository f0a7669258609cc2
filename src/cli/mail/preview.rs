//! `outreachd preview`: a campaign's mails as pages that a browser opens. Sends nothing and needs no secret.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use mail_parser::MessageParser;

use super::super::session::Session;
use super::super::{Exit, Globals, output};
use super::{made, settings};
use crate::model::{Campaign, SmtpSettings};
use crate::provider::{self, Mail};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Name or number of the campaign.
    campaign: String,
    /// The contact whose mails they are, by address or id; the first that would be written to without it.
    #[arg(long, value_name = "CONTACT")]
    employee: Option<String>,
    /// Folder for the pages; .outreachd/preview/CAMPAIGN below the project folder without it.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(in crate::cli) async fn run(globals: &Globals, arguments: &Arguments) -> anyhow::Result<Exit> {
    let session = Session::open(globals).await?;
    let context = session.context();
    let campaign = session.campaign(&arguments.campaign)?;
    // A signature would want the key and says nothing to a reader.
    let settings = SmtpSettings { dkim: None, ..settings(&session, campaign)?.clone() };
    let preview = made(&session, campaign, arguments.employee.as_deref(), false).await?;
    let folder =
        arguments.out.clone().unwrap_or_else(|| globals.root.join(".outreachd/preview").join(&campaign.name));
    std::fs::create_dir_all(&folder).with_context(|| format!("could not make {}", folder.display()))?;
    let person = &preview.person;
    let to = person.email.clone().unwrap_or_else(|| "nobody@invalid.example".to_owned());
    let mut index = format!(
        "<h1>{}</h1>\n<p>As {} of {} would get it. Nothing was sent.</p>\n<ol>\n",
        escaped(&campaign.name),
        escaped(&person.full_name),
        escaped(&person.company_name)
    );
    let mut unfit = 0;
    for (number, mail) in preview.mails.iter().enumerate() {
        let step = number + 1;
        let written = match mail {
            Ok(mail) => provider::written(&settings, context.root, mail, &to, context.clock)?
                .map(|bytes| (mail, bytes)),
            Err(reason) => Err(reason.clone()),
        };
        let (title, body) = match &written {
            Ok((mail, bytes)) => (mail.subject.clone(), page(mail, bytes)),
            Err(reason) => {
                unfit += 1;
                output::remark(&format!("mail {step} cannot be made: {reason}"));
                (
                    format!("Mail {step}"),
                    format!("<p><strong>Cannot be made:</strong> {}</p>", escaped(reason)),
                )
            }
        };
        let name = format!("{step}.html");
        let _ = writeln!(
            index,
            "<li><a href=\"{name}\">{}</a> {}</li>",
            escaped(&title),
            escaped(&when(campaign, number))
        );
        let place =
            format!("<p><a href=\"index.html\">All mails</a></p>\n<h1>{}</h1>\n{body}", escaped(&title));
        save(&folder, &name, &title, &place)?;
    }
    index.push_str("</ol>\n");
    save(&folder, "index.html", &campaign.name, &index)?;
    output::write(&format!("{}\n", folder.join("index.html").display()))?;
    Ok(if unfit == 0 { Exit::Done } else { Exit::HeldBack })
}

fn when(campaign: &Campaign, number: usize) -> String {
    match campaign.sequence.get(number).and_then(|step| step.wait) {
        Some(wait) if number > 0 => format!("{wait} after the one before"),
        _ => "at once".to_owned(),
    }
}

/// Headers, and what mail programs show: the HTML where there is one, and the text.
fn page(mail: &Mail, bytes: &[u8]) -> String {
    let mut text = String::from("<table>\n");
    let read = MessageParser::new().parse(bytes);
    let head = String::from_utf8_lossy(bytes);
    let head = head.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ");
    for line in head.split("\r\n") {
        let Some((name, raw)) = line.split_once(':') else { continue };
        let decoded = read.as_ref().and_then(|read| match name {
            "Subject" => read.subject().map(ToOwned::to_owned),
            "From" => read.from().and_then(|from| from.first()).map(|from| {
                let address = from.address().unwrap_or_default();
                from.name().map_or_else(|| address.to_owned(), |name| format!("{name} <{address}>"))
            }),
            _ => None,
        });
        let value = decoded.unwrap_or_else(|| raw.trim().to_owned());
        let _ =
            writeln!(text, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escaped(name), escaped(&value));
    }
    text.push_str("</table>\n");
    if let Some(html) = &mail.html {
        // What the mail brings along runs nothing and fetches nothing.
        let _ = writeln!(
            text,
            "<h2>HTML</h2>\n<iframe sandbox title=\"The mail\" srcdoc=\"{}\"></iframe>",
            escaped(html)
        );
    }
    let _ = writeln!(text, "<h2>Text</h2>\n<pre>{}</pre>", escaped(&mail.text));
    text
}

fn save(folder: &Path, name: &str, title: &str, body: &str) -> anyhow::Result<()> {
    let path = folder.join(name);
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n",
        escaped(title)
    );
    std::fs::write(&path, page).with_context(|| format!("could not write {}", path.display()))
}

const STYLE: &str = "\
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-size: .875rem }
th { text-align: left; vertical-align: top; padding-right: 1rem; white-space: nowrap; font-weight: 600 }
td { overflow-wrap: anywhere }
pre { white-space: pre-wrap; border: 1px solid; padding: 1rem }
iframe { width: 100%; height: 30rem; border: 1px solid; background: #fff }";

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, letter| {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
        out
    })
}
