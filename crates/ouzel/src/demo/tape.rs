//! What the demo prints: how to look at it, and what happens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use node::Node;
use serde_json::{Value, json};
use server::json::market::SignalRow;

use super::wires::Wires;
use crate::args::{DemoArgs, LISTEN};
use crate::print;

const LOOK: Duration = Duration::from_millis(250);

/// The first lines.
pub fn opening(args: &DemoArgs, address: SocketAddr, wires: &Wires, fix: Option<&str>) -> String {
    let [a, b] = [0, 1].map(|idx| wires.groups()[idx].clone());
    let kind = match (&wires.trouble, wires.multicast) {
        (_, true) => "multicast on loopback".to_owned(),
        (Some(why), false) => format!("unicast: multicast is not possible here ({why})"),
        (None, false) => "unicast on loopback, as asked".to_owned(),
    };
    let ouzel = if std::env::var_os("CARGO").is_some() {
        "cargo run --release --"
    } else {
        "ouzel"
    };
    let url = if address.to_string() == LISTEN {
        String::new()
    } else {
        format!(" --url http://{address}")
    };
    let fix = fix.map_or_else(String::new, |at| {
        format!("  FIX      {at}, OUZEL for CLIENT42 (FIX.4.2), CLIENT44 (FIX.4.4) and CLIENT50 (FIXT.1.1)\n")
    });
    format!(
        "Ouzel demo: a SIMULATED venue, seed {seed}, {symbols} symbols, {loss} % loss on each line\n\
         \n  lines    A {a}, B {b} ({kind})\n  console  http://{address}\n  \
         ask      {ouzel} ask{url} \"what is moving and why?\"\n  \
         search   {ouzel} search{url} \"guidance cut\"\n{fix}  stop     Ctrl-C\n\n\
         The first planted shock comes within 15 seconds. Signals as they are raised:",
        seed = args.seed,
        symbols = args.symbols,
        loss = args.loss,
    )
}

/// Prints every signal, forever.
pub async fn follow(node: Arc<Node>, json: bool) {
    let mut next = 0;
    loop {
        tokio::time::sleep(LOOK).await;
        let rows: Vec<(SignalRow, String)> = {
            let view = node.market();
            let from = std::mem::replace(&mut next, view.signal_count());
            let shown = view.signals_from(from).map(|logged| {
                let symbol = &view.symbols()[logged.symbol_idx];
                let name = symbol.name.clone().unwrap_or_default();
                (SignalRow::new(&symbol.symbol, &logged.signal), name)
            });
            shown.collect()
        };
        for (row, name) in rows {
            if let Ok(value) = serde_json::to_value(&row) {
                if json {
                    print::json(&json!({ "signal": value }));
                } else {
                    print::line(signal(&value, &name));
                }
            }
        }
    }
}

fn signal(row: &Value, name: &str) -> String {
    let at = row["at"].as_str().unwrap_or_default();
    let clock = at.get(11..19).unwrap_or(at);
    let symbol = row["symbol"].as_str().unwrap_or_default();
    let what = match row["kind"].as_str() {
        Some("jump") => {
            let percent = row["move_bp"].as_f64().unwrap_or(0.0) / 100.0;
            format!("jump {percent:+.2} %  {} -> {}", row["from"], row["to"])
        }
        Some("halt") => format!("halt {}", row["reason"].as_str().unwrap_or_default()),
        _ => "trading goes on".to_owned(),
    };
    format!("  {clock}  {symbol:<6} {what}  {name}")
}

/// The last line.
pub fn closing(summary: &Value) -> String {
    format!(
        "\n{} messages, {} gaps opened, {} messages recovered, {} lost; books compared with the \
         venue's {} times, {} unequal; {} signals",
        summary["messages"],
        summary["gaps"],
        summary["recovered"],
        summary["lost"],
        summary["book_checks"],
        summary["book_checks_unequal"],
        summary["signals"],
    )
}
