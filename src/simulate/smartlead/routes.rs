//! Which call goes where.

use serde_json::json;

use super::answer::{Reply, Request};
use super::readings::Verb;
use super::world::World;

impl World {
    /// Does what a call asks for. `partial` takes half of its leads.
    pub(super) fn answer(&mut self, request: &Request, partial: bool) -> Reply {
        self.route(request, partial).unwrap_or_else(|refused| refused)
    }

    fn route(&mut self, request: &Request, partial: bool) -> Result<Reply, Reply> {
        let path = request.segments();
        let id = |text: &str| text.parse::<i64>().map_err(|_| Reply::no_campaign());
        let lead = |text: &str| text.parse::<i64>().map_err(|_| Reply::no_lead());
        let change = match self.readings.verb {
            Verb::Post => "POST",
            Verb::Patch => "PATCH",
        };
        match (request.method.as_str(), path.as_slice()) {
            ("POST", ["campaigns", "create"]) => self.create_campaign(request),
            ("GET", ["campaigns"]) => Ok(self.list_campaigns()),
            ("GET", ["campaigns", c]) => self.show_campaign(id(c)?),
            ("DELETE", ["campaigns", c]) => self.delete_campaign(id(c)?),
            (verb, ["campaigns", c, "status"]) if verb == change => self.set_status(id(c)?, request),
            (verb, ["campaigns", c, "settings"]) if verb == change => self.set_settings(id(c)?, request),
            ("POST", ["campaigns", c, "schedule"]) => self.set_schedule(id(c)?, request),
            ("GET", ["campaigns", c, "sequences"]) => self.show_sequences(id(c)?),
            ("POST", ["campaigns", c, "sequences"]) => self.set_sequences(id(c)?, request),
            ("GET", ["campaigns", c, "email-accounts"]) => self.show_mailboxes(id(c)?),
            ("POST", ["campaigns", c, "email-accounts"]) => self.change_mailboxes(id(c)?, request, true),
            ("DELETE", ["campaigns", c, "email-accounts"]) => self.change_mailboxes(id(c)?, request, false),
            ("GET", ["campaigns", c, "webhooks"]) => self.show_hooks(id(c)?),
            ("POST", ["campaigns", c, "webhooks"]) => self.put_hook(id(c)?, request),
            ("DELETE", ["campaigns", c, "webhooks"]) => self.delete_hook(id(c)?, request),
            ("POST", ["campaigns", c, "leads"]) => self.add_leads(id(c)?, request, partial),
            ("GET", ["campaigns", c, "leads"]) => self.roster(id(c)?, request),
            ("GET", ["campaigns", c, "leads-export"]) => self.export(id(c)?),
            ("GET", ["campaigns", c, "statistics"]) => self.statistics(id(c)?, request),
            ("POST", ["campaigns", c, "leads", l]) => self.update_lead(id(c)?, lead(l)?, request),
            ("DELETE", ["campaigns", c, "leads", l]) => self.remove_lead(id(c)?, lead(l)?),
            ("POST", ["campaigns", c, "leads", l, "pause"]) => self.pause_lead(id(c)?, lead(l)?),
            ("POST", ["campaigns", c, "leads", l, "resume"]) => self.resume_lead(id(c)?, lead(l)?, request),
            ("POST", ["campaigns", c, "leads", l, "unsubscribe"]) => self.unsubscribe_lead(id(c)?, lead(l)?),
            ("POST", ["campaigns", c, "leads", l, "category"]) => {
                self.categorize_lead(id(c)?, lead(l)?, request)
            }
            ("GET", ["leads"]) => self.look_up(request),
            ("GET", ["leads", "fetch-categories"]) => Ok(Self::categories()),
            ("GET", ["leads", "get-domain-block-list"]) => self.blocks(request),
            ("POST", ["leads", "add-domain-block-list"]) => self.add_blocks(request),
            ("GET", ["leads", l]) => self.show_lead(lead(l)?),
            ("GET", ["leads", l, "campaigns"]) => self.campaigns_of(lead(l)?),
            ("POST", ["leads", l, "unsubscribe"]) => self.unsubscribe_everywhere(lead(l)?),
            _ => Err(Reply::json(404, json!({ "error": "Resource not found" }))),
        }
    }
}
