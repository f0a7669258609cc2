//! What servers write when mail did not arrive, in lower case.

/// Subjects of bounces and of warnings.
pub(super) const SUBJECTS: &[&str] = &[
    "undeliver", "undelivered", "delivery fail", "delivery has failed", "delivery status", "delivery notification", "delivery report",
    "delivery problem", "delivery error", "delivery delay", "delivery of your", "delivery unsuccessful", "delivery incomplete",
    "failure notice", "failure notification", "failure delivery", "failed delivery", "failed mail", "failed message",
    "failure of your", "mail failure", "mail failed", "mail system error", "mail error", "email error", "mail delivery", "maildelivery",
    "message delivery", "message undeliver", "message not delivered", "message failed", "message delayed", "message status",
    "message frozen", "returned mail", "returned email", "returned to sender", "returned message", "returning message", "returned:",
    "non-delivery", "nondelivery", "non delivery", "nondeliverable", "non-deliverable", "not delivered", "not be delivered",
    "n't be delivered", "cannot be delivered", "unable to deliver", "unable to send", "couldn't send", "could not send", "could not deliver",
    "bounced", "bounce message", "postmaster notify", "error sending your mail", "there was an error sending", "user unknown",
    "unknown user", "unknown recipient", "invalid recipient", "recipient unknown", "address unknown", "unknown address", "no such user",
    "mailbox full", "mailbox unavailable", "over quota", "quota exceeded", "rejected mail", "mail rejected", "system error message", "loop alert", "loop back warning", "not member article", "reject mail", "message rejected",
    "automatically rejected", "rejected:", "warning: message", "ndn:", "ndr:", "nicht zugestellt", "unzustellbar", "nicht zustellbar",
    "zustellung", "zustellfehler", "non remis", "non délivr", "non distribu", "échec", "echec", "impossible de remettre",
    "mancata consegna", "non recapita", "consegna", "devuelto", "no entregad", "no se pudo entregar", "no se puede entregar",
    "não entregue", "não foi entregue", "falha na entrega", "onbestelbaar", "niet bezorgd", "niet afgeleverd", "kunde inte levereras",
    "nie dostarczono", "niedostarczon", "teslim edilemedi", "не доставлен", "недоставлен", "не может быть доставлен", "не удалось достав",
    "невозможно достав", "ошибка достав", "ошибка при достав", "отказ в достав", "возврат письма", "возвращено отправителю",
    "配信", "送信できません", "エラー", "不達", "返回", "退信", "投递失败", "无法投递", "发送失败", "반송",
];

/// What stands in the text of a bounce, and in hardly anything else.
pub(super) const FAILURES: &[&str] = &[
    "could not be delivered", "couldn't be delivered", "cannot be delivered", "can't be delivered", "can not be delivered",
    "not be delivered", "was not delivered", "were not delivered", "not been delivered", "not delivered to", "hasn't been delivered",
    "undeliverable", "undelivered", "unable to deliver", "wasn't able to deliver", "not able to deliver", "could not deliver",
    "couldn't deliver", "cannot deliver", "failed to deliver", "delivery failed", "delivery has failed", "delivery failure",
    "delivery to the following", "delevery to the following", "delivery of your message", "did not reach", "didn't reach",
    "did not receive", "could not be reached", "could not be sent", "couldn't be sent", "could not send", "unable to send",
    "permanent fatal error", "transient non-fatal", "permanent error", "permanent failure", "fatal error", "delivery error", "delivery problem",
    "had delivery problems", "had permanent", "failed recipient", "failed address", "address(es) failed", "addresses failed",
    "following address failed", "following addresses failed", "returned to you", "returned to the sender", "returned to sender", "returning message",
    "is being returned", "mail delivery system", "mail delivery software", "mail delivery agent", "mail delivery subsystem", "qmail-send program",
    "postfix program", "delivery status notification", "delivery report", "non-delivery", "nondelivery", "bounced",
    "user unknown", "unknown user", "unknown recipient", "recipient unknown", "no such user", "no such recipient", "no mailbox", "does not exist",
    "doesn't exist", "not a valid", "invalid recipient", "invalid address", "invalid final delivery", "invalid receiver", "mailbox is full",
    "mailbox full", "mailfolder is full", "over quota", "overquota", "disk quota", "exceeds allowed size", "mailbox unavailable", "account is disabled",
    "has been disabled", "no longer on server", "was rejected", "rejected your message", "rejected recipient", "rejected by", "has been rejected",
    "automatically rejected", "returned mail", "transcript of session", "remote host said", "giving up", "error(s):", "error from remote", "error delivering your mail", "duplicated message-id", "detected a loop", "not a member of",
    "smtp error", "may not exist", "following recipient", "following addresses", "following address", "problem with the recipient",
    "nicht zugestellt", "nicht zustellbar", "unzustellbar", "konnte nicht", "fehlgeschlagen", "pas pu être", "n'a pas été remis",
    "n'a pas pu", "échec de la remise", "non è stato possibile", "impossibile recapitare", "no ha podido", "no pudo ser entregado",
    "no se pudo entregar", "no se puede entregar", "no ha sido entregado", "não foi possível", "não pôde ser entregue", "niet bezorgd",
    "niet worden bezorgd", "niet afgeleverd", "не может быть доставлен", "не было доставлен", "не доставлен", "не удалось достав",
    "невозможно достав", "недоставлен", "не может быть отправлен", "не был доставлен", "送信できませんでした", "送信に失敗", "配信できません",
    "配信に失敗", "届けることができません", "存在しません", "リストにありません", "无法投递", "投递失败", "无法送达", "被退回",
];

/// The mail is still on its way.
pub(super) const DELAYS: &[&str] = &[
    "not yet been delivered", "not been delivered yet", "has been delayed", "is delayed", "message delayed", "delivery delayed",
    "delivery attempts will continue", "will continue to try", "will continue trying", "continue to try to deliver", "will keep trying",
    "keep trying to deliver", "warning message only", "this is just a warning", "this is only a warning", "only a warning",
    "do not need to resend", "not need to re-send", "don't need to resend", "message will be retried", "will be retried", "still being retried",
    "delivery will be retried", "temporary failure report", "attempts will continue to be made", "will try again for", "continue to attempt delivery",
    "enqueued and undeliverable", "no action is required on your part", "delivery has been delayed", "noch nicht zugestellt", "verzögert", "retardé",
    "пока не доставлен", "задержана", "задерживается", "попытки доставки будут продолж",
];

/// The reason a warning is no warning.
pub(super) const FINAL: &[&str] = &["given up", "giving up", "give up on", "permanent error", "permanent fatal", "permanent failure", "gave up"];

/// Who sends such mails: parts of the name and address in From.
pub(super) const SENDERS: &[&str] = &[
    "mailer-daemon", "mailer_daemon", "mailerdaemon", "mail-daemon", "maildaemon", "mail daemon", "mailer daemon", "postmaster", "post_master",
    "post.master", "mail delivery", "mail deliver", "mail.deliver", "maildeliver", "mail-deliver", "message delivery", "delivery subsystem",
    "delivery system", "delivery service", "delivery agent", "delivery notification", "system administrator", "system.administrator",
    "systemadministrator", "mail administrator", "mail admin", "mailadmin", "mail system", "mailsystem", "mail_system", "mail service", "mail_service",
    "mail server", "mailserver", "mdaemon", "microsoftexchange", "microsoft exchange", "internet mail", "bounce-notification", "bounces@", "bounce@",
    "sysadmin@", "e500_smtp", "interscan", "mailscanner", "mimesweeper", "mail transfer", "smtp server", "no-reply@sns", "postfix", "почтовая служба",
    "почтовый сервер", "администратор почт", "администратор системы",
];

/// Lines after which the addresses stand that were not reached.
pub(super) const INTRODUCTIONS: &[&str] = &[
    "following address", "following recipient", "following user", "following destination", "following email", "following e-mail", "following mail",
    "following person", "following account", "following target", "these recipient", "these address", "this recipient", "this address", "recipient(s)",
    "recipients:", "recipients or", "failed recipient", "failed address", "address(es)", "addresses had", "addresses follow", "list of failed",
    "delivered to:", "delivered to the", "delivered to one", "deliver to", "deliver your message to", "deliver message to", "deliver the message to",
    "delivery to", "delivered to some", "delivered because", "did not reach", "did not receive", "undeliverable to", "undelivered to", "intended recipient",
    "could not be delivered", "was not delivered", "unable to deliver", "not delivered to", "has failed to", "failed to these", "failure reasons",
    "the address to which", "addressed to", "your message to", "invalid address", "unknown address", "permanent errors", "problem with the",
    "message not delivered", "information for administrators", "generating server", "не может быть доставлен", "следующ", "получател", "адресат",
    "адресам", "folgende empfänger", "folgenden empfänger", "folgende adresse", "folgenden adresse", "destinataire", "destinatari", "destinatarios",
    "ontvanger", "以下のメールアドレス", "次の受信者", "宛先", "受信者", "下記",
];

/// Words before an address on its line that make it the failed one.
pub(super) const LABELS: &[&str] = &[
    "recipient", "receiver", "rcpt to", "rcpt", "undeliverable", "undelivered", "failed", "failure", "error-for", "unknown user", "unknown", "user unknown",
    "no such", "userid", "mailbox", "mail to", "message to", "deliver", "addressee", "address", "user", "account", "e-mail", "email", "intended",
    "rejected", "invalid", "not found", "generated from", "адрес", "получател", "пользовател", "ящик", "empfänger", "destinataire", "destinatario", "宛先",
];

/// Words before an address that make it anybody else's.
pub(super) const OTHERS: &[&str] = &[
    "from", "sender", "reply-to", "return-path", "envelope", "mail from", "contact", "assistance", "send mail to", "send a mail to", "write to", "help",
    "support", "question", "message-id", "message id", "messageid", "msg-id", "in-reply-to", "references", "identifier", "sent by", "posted by",
    "report this to", "reports to", "errors-to", "complain", "abuse", "please reply to", "forward", "on behalf", "your administrator", "administrator at",
    "expanded", "via", "received", "with id", "queue id", "x-", "subject", "cc", "bcc", "отправител", "обратитесь", "expéditeur", "absender", "remitente",
];
