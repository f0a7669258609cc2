//! The commonest phrases of other languages: German, French, Spanish, Portuguese, Italian, Dutch.

use super::Phrase;

pub(super) const LEAVE_ME_ALONE: &[Phrase] = &[
    "bitte [..] abmelden|austragen|abbestellen|entfernen|löschen",
    "aus|von [..] verteiler|liste|mailingliste|newsletter [..] nehmen|entfernen|streichen|austragen|löschen|abmelden|abbestellen",
    "keine [weiteren|mehr|werbung|weitere] [..] mails|emails|nachrichten|werbung|newsletter",
    "désabonner", "désabonnez", "désinscrire", "désinscrivez", "me désabonner", "retirez|supprimez|retirer|supprimer [moi|mon|mes] [..] liste|adresse|base|fichier",
    "ne plus recevoir|contacter", "ne me contactez|écrivez plus",
    "darme|dar|dame|dadme|dé|quiero [..] de baja", "no [quiero|deseo] [..] recibir [..] más|correos|mensajes|emails", "eliminar|eliminen|borren|quiten [..] lista|correo|base",
    "não [quero|desejo] [..] receber [..] mais|emails|mensagens", "remover|remova|retire [..] lista", "descadastrar", "cancelar inscrição",
    "disiscrivermi", "cancellatemi", "cancellarmi", "non voglio [..] ricevere", "rimuovete|rimuovere|rimuovi [..] lista|indirizzo",
    "uitschrijven", "afmelden", "geen [verdere|mails] [..] mails|emails|berichten",
];

pub(super) const IN_FEW_WORDS: &[Phrase] =
    &["abmelden", "abbestellen", "austragen", "désabonnement", "désinscription", "baja", "cancelar suscripción", "cancella", "afmelden", "uitschrijven"];

pub(super) const REQUESTS: &[Phrase] = &[
    "senden|schicken sie|uns|mir", "mehr|weitere informationen|infos", "was kostet|kosten", "könnten|können sie", "haben sie interesse|zeit",
    "pouvez|pourriez vous", "envoyez moi|nous", "plus d'informations", "combien coûte", "podría|puede|podrían|pueden enviar*|decir*|mandar*", "envíe*|mande*",
    "más información", "cuánto cuesta", "pode|poderia [me|nos] enviar|mandar", "mais informações", "può|potete|potrebbe inviar*|mandar*", "maggiori informazioni",
    "kunt u", "meer informatie",
];

pub(super) const LEFT: &[Phrase] = &[
    "nicht mehr im|in|bei|für [..] unternehmen|uns|firma|tätig|beschäftigt|haus", "ne travaille plus", "ne fait plus partie", "a quitté la|l'entreprise|notre|l'équipe",
    "ya no trabaja|labora|forma", "não trabalha mais", "não faz mais parte", "non lavora più", "werkt niet meer", "niet meer werkzaam",
];

pub(super) const AWAY: &[Phrase] = &[
    "nicht im büro|hause|haus", "außer haus", "im urlaub", "bin [..] abwesend|nicht|unterwegs [erreichbar]", "automatisch* antwort|generiert*|erstellt*|nachricht",
    "absent|absente [..] du|jusqu'au|bureau|au", "en congé|congés|vacances|déplacement", "réponse automatique", "message automatique", "fuera de la|oficina", "de vacaciones", "respuesta automática",
    "mensaje automático", "fora do escritório", "de férias", "resposta automática", "fuori ufficio|sede", "in ferie", "risposta automatica", "buiten kantoor", "met vakantie|verlof",
    "automatisch antwoord|bericht",
];
