//! `storytime stories`: what there is to run.

use crate::cli::StoriesOptions;
use crate::serve::print;
use crate::{OK, WRONG};
use storytime_scenarios::catalog;

pub(crate) fn list(options: &StoriesOptions) -> u8 {
    let cards = match catalog::cards() {
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
    let widest = cards.iter().map(|card| card.id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for card in &cards {
        let real = if card.real { "  (also --real)" } else { "" };
        text += &format!("{:widest$}  {:6}  {}{real}\n", card.id, card.source, card.title);
    }
    text += "\nRun one: storytime run ";
    text += cards.first().map_or("STORY", |card| card.id.as_str());
    print(&text)
}
