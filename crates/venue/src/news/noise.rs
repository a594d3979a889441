//! Decoys and general noise: items that name a company, a sector or nothing, and cause nothing.

use super::Template;

/// About one company, without a reason to trade.
#[rustfmt::skip]
pub(super) const COMPANY: [Template; 14] = [
    Template { sectors: &[], headline: "{name} to speak at investor conference in {city}",
        body: "{name} ({symbol}) will take part in an investor conference in {city} next month. A webcast will be available on its site." },
    Template { sectors: &[], headline: "{name} opens volunteer programme in {city}",
        body: "{name} ({symbol}) opened a volunteer programme for employees in {city}. Staff may spend two days a year in local schools." },
    Template { sectors: &[], headline: "{name} publishes annual sustainability report",
        body: "{name} ({symbol}) published its annual sustainability report. Water use at its offices fell slightly. The report has {count} pages." },
    Template { sectors: &[], headline: "{name} names {person} head of internal communications",
        body: "{name} ({symbol}) named {person} head of internal communications. {person} joined the company eleven years ago." },
    Template { sectors: &[], headline: "{name} sponsors youth sports league",
        body: "{name} ({symbol}) will sponsor a youth sports league in {city} for three seasons. Terms were not disclosed." },
    Template { sectors: &[], headline: "{name} renews lease for its {city} office",
        body: "{name} ({symbol}) renewed the lease for its office in {city}. The building houses {count} employees." },
    Template { sectors: &[], headline: "Museum in {city} shows early products of {name}",
        body: "A museum in {city} has opened an exhibition about the history of {name} ({symbol}). It runs until spring." },
    Template { sectors: &[], headline: "{name} updates logo on its mobile app",
        body: "{name} ({symbol}) updated the logo of its mobile app. The company said that functions stay the same." },
    Template { sectors: &[], headline: "Analyst keeps neutral rating on {name}",
        body: "An analyst kept a neutral rating on {name} ({symbol}) and left estimates unchanged. The note contains no new information." },
    Template { sectors: &[], headline: "{name} sets date of annual meeting",
        body: "{name} ({symbol}) will hold its annual meeting in {city} as usual. Holders of record may vote online." },
    Template { sectors: &[], headline: "{name} wins design award for packaging",
        body: "{name} ({symbol}) won a regional design award for packaging. It was one of {count} winners." },
    Template { sectors: &[], headline: "{name} employees plant trees near {city}",
        body: "Employees of {name} ({symbol}) planted trees near {city} at the weekend. The event has been held every year since 2011." },
    Template { sectors: &[], headline: "{name} confirms regular quarterly dividend date",
        body: "{name} ({symbol}) confirmed the usual payment date of its regular dividend. The amount is unchanged and was announced last year." },
    Template { sectors: &[], headline: "Podcast looks back at the founding of {name}",
        body: "A new podcast tells how {name} ({symbol}) was founded. The first episode lasts forty minutes." },
];

/// About a whole sector.
#[rustfmt::skip]
pub(super) const SECTOR: [Template; 6] = [
    Template { sectors: &[], headline: "Trade group for {sector} companies elects new chair",
        body: "The trade group for {sector} companies elected {person} as chair. {name} and {rival} are among its members." },
    Template { sectors: &[], headline: "Survey: {sector} workers prefer two office days",
        body: "A survey among {sector} workers found that most prefer two office days a week. Answers from {name} and {rival} staff did not differ." },
    Template { sectors: &[], headline: "University in {city} starts {sector} master programme",
        body: "A university in {city} starts a master programme about the {sector} industry. Guest lecturers will come from {rival} and others." },
    Template { sectors: &[], headline: "Conference season begins for {sector} firms",
        body: "The conference season of {sector} firms begins in {city}. {name}, {rival} and others will show known products." },
    Template { sectors: &[], headline: "{sector} firms publish joint glossary of terms",
        body: "Several {sector} firms, among them {rival}, published a joint glossary of terms. It is meant for students." },
    Template { sectors: &[], headline: "Newsletter ranks the friendliest {sector} offices",
        body: "A newsletter ranked the friendliest offices of {sector} firms. {rival} came fourth, {name} ninth." },
];

/// About nothing that is listed.
#[rustfmt::skip]
pub(super) const GENERAL: [Template; 8] = [
    Template { sectors: &[], headline: "Morning fog delays ferries near {city}",
        body: "Morning fog delayed ferries near {city}. Services returned to normal before noon." },
    Template { sectors: &[], headline: "{city} marathon draws record number of runners",
        body: "The {city} marathon drew a record number of runners. Streets reopen in the evening." },
    Template { sectors: &[], headline: "Library in {city} extends opening hours",
        body: "The public library in {city} extends its opening hours on Sundays from next month." },
    Template { sectors: &[], headline: "Traders report quiet start to the session",
        body: "Traders report a quiet start to the session. Volumes are in line with the monthly average." },
    Template { sectors: &[], headline: "Exchange reminds members of holiday schedule",
        body: "The exchange reminded members of its holiday schedule. Trading ends early on the day before." },
    Template { sectors: &[], headline: "Weather service expects mild week around {city}",
        body: "The weather service expects a mild week around {city}, with light rain on Thursday." },
    Template { sectors: &[], headline: "Statistics office changes layout of its website",
        body: "The statistics office changed the layout of its website. Data and release dates stay the same." },
    Template { sectors: &[], headline: "Street festival in {city} ends without incidents",
        body: "A street festival in {city} ended without incidents. Organisers counted {count} thousand visitors." },
];
