//! How mail from other servers is judged.

use mailstead_net::Network;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How mail from other servers is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Checks {
    /// Find out who it is from (SPF, DKIM, DMARC, ARC, reverse DNS), and do as the authors' domains ask.
    pub enabled: bool,
    /// Add `Received-SPF` too; `Authentication-Results` says the same.
    pub received_spf: bool,
    /// Servers whose mail was judged before they sent it on, such as a backup MX: it is taken as they bring it.
    #[serde(serialize_with = "write_networks", deserialize_with = "read_networks")]
    pub trusted_relays: Vec<Network>,
}

impl Default for Checks {
    fn default() -> Self {
        Self { enabled: true, received_spf: false, trusted_relays: Vec::new() }
    }
}

fn read_networks<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<Network>, D::Error> {
    let texts = Vec::<String>::deserialize(reader)?;
    texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
}

fn write_networks<S: Serializer>(networks: &[Network], writer: S) -> Result<S::Ok, S::Error> {
    writer.collect_seq(networks.iter().map(Network::to_string))
}
