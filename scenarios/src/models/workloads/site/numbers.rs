//! The numbers of a site, as a file gives them.

use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{Fields, unknown};
use crate::models::visits::VisitNumbers;
use crate::read::{Parts, name_fits, sites};
use crate::story::{Cluster, Home};

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// Who asks for what.
    pub visits: VisitNumbers,
    /// The story's clusters of databases.
    pub clusters: Vec<Cluster>,
    /// The cluster that knows where users live.
    pub directory: Option<usize>,
    /// The clusters that they live on.
    pub user_clusters: Vec<usize>,
    /// Whether a web server keeps what it has looked up, for ever: nobody moves.
    pub keep_places: bool,
}

impl Numbers {
    pub(super) fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Self> {
        let visits = VisitNumbers::read(fields, parts)?;
        let names = || parts.cluster_names.iter().map(|name| name.text.as_str());
        let directory = match fields.text_if("directory", "the name of a `[[cluster]]`")? {
            None => None,
            Some(word) => Some(sites::cluster_called(&word, parts)?),
        };
        let mut user_clusters = Vec::new();
        for word in fields.texts("user_clusters", "the name of a `[[cluster]]`")? {
            let fitting = (0..parts.clusters.len())
                .filter(|&n| name_fits(&word.text, &parts.clusters[n].name));
            let before = user_clusters.len();
            user_clusters.extend(fitting);
            if user_clusters.len() == before {
                let known: Vec<&str> = names().collect();
                return Err(unknown(&word, "cluster", known).into());
            }
        }
        if visits.all.is_empty() {
            let title = format!("{} has nothing to do", fields.what());
            return Err(Diagnostic::at(fields.span(), title, "the story has no `[[class]]`")
                .help("add a section `[[class]]` with a `name` and what its requests cost")
                .into());
        }
        let of_users = visits.classes.iter().any(|&n| visits.all[n].home == Home::OfTheUser);
        if of_users && (directory.is_none() || user_clusters.is_empty()) {
            let title = format!("{} cannot tell where its users live", fields.what());
            return Err(Diagnostic::at(fields.span(), title, "a class is `of-the-user`")
                .help("add `directory` and `user_clusters`: the names of `[[cluster]]`s")
                .into());
        }
        let keep_places = fields.flag("keep_places", false)?;
        let clusters = parts.clusters.to_vec();
        Ok(Self { visits, clusters, directory, user_clusters, keep_places })
    }
}
