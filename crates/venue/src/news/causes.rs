//! Planted causes: what can move a company's price by several percent within seconds.

use super::Template;
use crate::listing::Sector::{
    Auto, Consumer, Energy, Finance, Hardware, Health, Industrial, Media, Retail, Semiconductors,
    Software,
};

/// News that sends a price down.
#[rustfmt::skip]
pub(super) const DOWN: [Template; 14] = [
    Template { sectors: &[], headline: "{name} cuts full-year guidance on weak demand for {product}",
        body: "{name} ({symbol}) lowered its full-year revenue forecast by {pct} percent because of weak demand for its {product}. \
The company now expects sales of ${bn} billion. Management said that large customers had postponed orders since the start of the quarter." },
    Template { sectors: &[], headline: "{name} finance chief resigns with immediate effect",
        body: "{name} ({symbol}) said that chief financial officer {person} has resigned with immediate effect. \
The board gave no reason and named no permanent successor. The quarterly report due next week is postponed." },
    Template { sectors: &[], headline: "Regulator opens accounting probe into {name}",
        body: "The securities regulator has opened a formal investigation into how {name} ({symbol}) recognised revenue from {product}. \
The company confirmed that it received a subpoena. Sales of about ${mm} million are under review." },
    Template { sectors: &[], headline: "{name} launches surprise share sale of ${bn} billion",
        body: "{name} ({symbol}) is offering new shares worth ${bn} billion at a discount of {pct} percent. \
The surprise share sale dilutes existing holders. Proceeds will repay debt that falls due this year." },
    Template { sectors: &[Health], headline: "FDA rejects {name}'s application for {product}",
        body: "The Food and Drug Administration rejected the application of {name} ({symbol}) for {product}. \
In its complete response letter the agency asked for another late-stage trial. {name} said that a new filing would take at least two years." },
    Template { sectors: &[Health], headline: "{name} stops late-stage trial of {product} after safety review",
        body: "{name} ({symbol}) has stopped its phase three trial of {product}. \
An independent safety board found serious side effects in {pct} percent of patients. Analysts had expected peak sales of ${bn} billion." },
    Template { sectors: &[Semiconductors, Hardware], headline: "New export rule bars {name} from selling {product} to China",
        body: "A new export rule published today bars {name} ({symbol}) from selling {product} to customers in China without a licence. \
The company earns {pct2} percent of its revenue there. It said that inventory of ${mm} million may have to be written off." },
    Template { sectors: &[Auto], headline: "{name} recalls {count} thousand vehicles over fire risk",
        body: "{name} ({symbol}) is recalling {count} thousand vehicles because battery packs may catch fire. \
Owners were told to park outdoors until repairs are made. The recall will cost about ${mm} million, the company said." },
    Template { sectors: &[Consumer, Retail], headline: "{name} recalls {product} after contamination reports",
        body: "{name} ({symbol}) is recalling {product} sold in {count} thousand shops after reports of contamination. \
Production at the plant in {city} has been halted. The recall will lower this quarter's profit by ${mm} million." },
    Template { sectors: &[Software, Finance, Retail, Media], headline: "{name} discloses data breach affecting {count} million customers",
        body: "{name} ({symbol}) disclosed a data breach that exposed records of {count} million customers. \
Attackers had access for three weeks through a supplier. The company suspended new sign-ups and faces claims of up to ${mm} million." },
    Template { sectors: &[Semiconductors, Hardware, Industrial, Software], headline: "{name} loses its largest contract to {rival}",
        body: "{name} ({symbol}) lost its largest contract, worth ${bn} billion a year, to {rival}. \
The customer will switch its orders for {product} from next quarter. {name} withdrew its sales forecast." },
    Template { sectors: &[Auto, Semiconductors, Energy, Industrial], headline: "Fire stops production at {name}'s main plant in {city}",
        body: "A fire has stopped production at the main plant of {name} ({symbol}) in {city}. \
The site makes {pct2} percent of the company's {product}. Repairs will take at least ten weeks, and deliveries will be missed." },
    Template { sectors: &[Software, Media, Retail], headline: "Antitrust authorities sue to break up {name}",
        body: "Antitrust authorities filed a suit to break up {name} ({symbol}). \
The complaint asks a court in {city} to order the sale of its {product} business. That unit brings in {pct2} percent of revenue." },
    Template { sectors: &[Finance, Energy, Media], headline: "{name} cuts dividend by half after ${bn} billion writedown",
        body: "{name} ({symbol}) halved its dividend after a writedown of ${bn} billion on its {product} business. \
The buyback is suspended until further notice. The board said that capital must be rebuilt first." },
];

/// News that sends a price up.
#[rustfmt::skip]
pub(super) const UP: [Template; 13] = [
    Template { sectors: &[], headline: "{name} receives takeover bid at {pct2} percent premium",
        body: "{name} ({symbol}) received a takeover bid worth ${bn} billion from a group led by {rival}. \
The offer is a premium of {pct2} percent over the last close. The board will open its books to the bidder." },
    Template { sectors: &[], headline: "{name} raises full-year forecast on record orders for {product}",
        body: "{name} ({symbol}) raised its full-year profit forecast by {pct2} percent after record orders for {product}. \
The company now expects sales of ${bn} billion. Capacity is sold out until the end of next year." },
    Template { sectors: &[], headline: "{name} announces ${bn} billion buyback and special dividend",
        body: "{name} ({symbol}) will buy back shares worth ${bn} billion and pay a special dividend. \
The buyback equals about {pct} percent of its market value. It starts tomorrow and runs for twelve months." },
    Template { sectors: &[], headline: "Activist fund discloses {pct} percent stake in {name}",
        body: "The activist fund Harrow Point disclosed a stake of {pct} percent in {name} ({symbol}). \
It demands the sale of the {product} business and three board seats. The company agreed to talks." },
    Template { sectors: &[Health], headline: "FDA approves {name}'s {product} ahead of schedule",
        body: "The Food and Drug Administration approved {product} of {name} ({symbol}) three months ahead of schedule. \
Sales can begin at once. Analysts expect peak revenue of ${bn} billion a year." },
    Template { sectors: &[Health], headline: "{name}'s {product} meets main goal in late-stage trial",
        body: "{name} ({symbol}) said that {product} met the main goal of its phase three trial. \
The treatment cut deaths by {pct2} percent against standard care. The company will file for approval this quarter." },
    Template { sectors: &[Semiconductors, Hardware], headline: "Export licence granted: {name} may ship {product} to China again",
        body: "The government granted {name} ({symbol}) an export licence to ship {product} to China again. \
Orders of ${mm} million that had been frozen can now be delivered. The licence runs for three years." },
    Template { sectors: &[Semiconductors, Hardware, Software, Industrial], headline: "{name} wins ${bn} billion contract for {product}",
        body: "{name} ({symbol}) won a contract worth ${bn} billion to supply {product} to the government. \
It beat {rival} in the final round. Deliveries start next quarter and last five years." },
    Template { sectors: &[Auto], headline: "{name} deliveries beat forecasts by {pct2} percent",
        body: "{name} ({symbol}) delivered {count} thousand vehicles last quarter, {pct2} percent more than forecast. \
Demand for its {product} grew fastest. The company will add a third shift at its plant in {city}." },
    Template { sectors: &[Consumer, Retail], headline: "{name} same-store sales jump {pct2} percent",
        body: "{name} ({symbol}) reported same-store sales up {pct2} percent, far above forecasts. \
The gain came from {product}. The company raised its profit target for the year." },
    Template { sectors: &[Software, Media, Finance], headline: "Court throws out ${bn} billion case against {name}",
        body: "A court in {city} threw out the ${bn} billion case against {name} ({symbol}). \
The judge found no evidence of harm to users of its {product}. The company will release the reserve it had set aside." },
    Template { sectors: &[Energy], headline: "{name} finds large gas field off the coast",
        body: "{name} ({symbol}) has found a gas field that may hold {count} million barrels of oil equivalent. \
Test wells flowed at twice the expected rate. First production is planned in three years." },
    Template { sectors: &[Software, Media, Hardware], headline: "{name} and {rival} sign {product} partnership worth ${bn} billion",
        body: "{name} ({symbol}) and {rival} signed a partnership worth ${bn} billion over four years. \
{rival} will move all of its {product} work to {name}. The deal takes effect immediately." },
];
