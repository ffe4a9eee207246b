//! `storytime stories`: what there is to run.

use crate::cli::StoriesOptions;
use crate::serve::print;
use crate::{OK, WRONG};
use storytime_scenarios::catalog;

/// What stands for the talks, and what to do next.
const SOURCES: &str = "
LJ: LiveJournal 2007, NL: Netlog 2009, by slide; ZM: all the little pieces 2009; OS: Gearman at OSCON
2009; GM: Gearman & MySQL 2009

Run one: storytime run add-a-server";

pub(crate) fn list(options: &StoriesOptions) -> u8 {
    let mut cards = match catalog::cards() {
        Ok(cards) => cards,
        Err(wrong) => {
            eprintln!("{wrong}");
            return WRONG;
        }
    };
    if options.json {
        for card in cards {
            let line = serde_json::json!({
                "id": card.id, "title": card.title, "source": card.source, "asks": card.asks,
                "real": card.real,
            });
            print(&line.to_string());
        }
        return OK;
    }
    cards.sort_by(|one, other| one.id.cmp(&other.id));
    let ids = cards.iter().map(|card| card.id.len()).max().unwrap_or(0);
    let sources = cards.iter().map(|card| card.source.len()).max().unwrap_or(0);
    let mut text = String::new();
    for card in &cards {
        let real = if card.real { "  (also --real)" } else { "" };
        text += &format!("{:ids$}  {:sources$}  {}{real}\n", card.id, card.source, card.title);
    }
    text += SOURCES;
    print(&text)
}
