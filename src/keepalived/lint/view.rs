//! A document as VRRP sees it: instances with the settings that are in force for them.

use std::net::IpAddr;

use crate::keepalived::finding::Place;
use crate::keepalived::parse::Statement;

/// What the rules look at.
pub(super) struct View<'d> {
    pub(super) statements: &'d [Statement],
    pub(super) instances: Vec<Instance<'d>>,
}

/// One vrrp_instance. Values that are missing, wrong or behind a `$` definition are `None`.
pub(super) struct Instance<'d> {
    pub(super) statement: &'d Statement,
    pub(super) name: &'d str,
    pub(super) state: Option<&'d str>,
    pub(super) interface: Option<&'d str>,
    pub(super) router: Option<u8>,
    pub(super) priority: Option<u8>,
    /// The instance's own, else the global one, else 2; 3 with an IPv6 VIP.
    pub(super) version: u8,
    pub(super) nopreempt: bool,
    pub(super) source: Option<IpAddr>,
    pub(super) peers: Vec<(&'d Place, IpAddr)>,
    pub(super) vips: Vec<Vip<'d>>,
}

/// One line of virtual_ipaddress.
pub(super) struct Vip<'d> {
    pub(super) statement: &'d Statement,
    /// `None` if it is no address, or a definition.
    pub(super) address: Option<IpAddr>,
}

impl<'d> Vip<'d> {
    /// The word after `keyword`, unless it is a definition.
    pub(super) fn word(&self, keyword: &str) -> Option<&'d str> {
        let mut words = self.statement.words.iter();
        words.by_ref().find(|word| *word == keyword)?;
        words
            .next()
            .map(String::as_str)
            .filter(|word| !word.contains('$'))
    }

    /// The interface that it is put on.
    pub(super) fn device(&self, instance: &Instance<'d>) -> Option<&'d str> {
        self.word("dev").or(instance.interface)
    }

    /// The length of its prefix: that of a host, unless another one is written.
    pub(super) fn prefix(&self) -> Option<u8> {
        let host = if self.address?.is_ipv6() { 128 } else { 32 };
        match self.statement.keyword().split_once('/') {
            Some((_, prefix)) => prefix.parse().ok(),
            None => Some(host),
        }
    }
}

impl<'d> View<'d> {
    pub(super) fn new(statements: &'d [Statement]) -> Self {
        let mut view = Self {
            statements,
            instances: Vec::new(),
        };
        let instances = view
            .blocks("vrrp_instance")
            .map(|statement| instance(statement, &view));
        view.instances = instances.collect();
        view
    }

    /// The blocks of the top level with this keyword.
    pub(super) fn blocks(
        &self,
        keyword: &str,
    ) -> impl Iterator<Item = &'d Statement> + use<'d, '_> {
        let keyword = keyword.to_owned();
        self.statements
            .iter()
            .filter(move |statement| statement.keyword() == keyword)
    }

    /// The last global definition with this keyword.
    pub(super) fn global(&self, keyword: &str) -> Option<&'d Statement> {
        self.blocks("global_defs")
            .filter_map(|globals| globals.last(keyword))
            .last()
    }

    /// Is the instance in a sync group?
    pub(super) fn is_grouped(&self, instance: &Instance<'_>) -> bool {
        self.blocks("vrrp_sync_group")
            .flat_map(|group| group.all("group"))
            .flat_map(Statement::children)
            .any(|member| member.keyword() == instance.name)
    }

    /// The addresses of all VIPs.
    pub(super) fn vips(&self) -> impl Iterator<Item = IpAddr> {
        self.instances
            .iter()
            .flat_map(|instance| &instance.vips)
            .filter_map(|vip| vip.address)
    }
}

impl Instance<'_> {
    pub(super) fn is_v6(&self) -> bool {
        self.vips
            .iter()
            .find_map(|vip| vip.address)
            .is_some_and(|vip| vip.is_ipv6())
    }

    pub(super) fn is_unicast(&self) -> bool {
        self.statement
            .all("unicast_peer")
            .any(|peers| !peers.children().is_empty())
    }
}

/// keepalived's booleans: the bare keyword means yes.
pub(super) fn is_on(statement: Option<&Statement>) -> bool {
    let Some(statement) = statement else {
        return false;
    };
    !statement
        .words
        .get(1)
        .is_some_and(|word| ["off", "false", "no"].contains(&word.as_str()))
}

fn instance<'d>(statement: &'d Statement, view: &View<'d>) -> Instance<'d> {
    let word = |keyword: &str| statement.last(keyword).and_then(Statement::argument);
    let vips: Vec<_> = statement
        .all("virtual_ipaddress")
        .flat_map(Statement::children)
        .filter(|line| !line.is_macro())
        .map(|statement| Vip {
            statement,
            address: address(statement.keyword()),
        })
        .collect();
    let v6 = vips
        .iter()
        .find_map(|vip| vip.address)
        .is_some_and(|vip| vip.is_ipv6());
    let version =
        word("version").or_else(|| view.global("vrrp_version").and_then(Statement::argument));
    let peers = statement.all("unicast_peer").flat_map(Statement::children);
    Instance {
        statement,
        name: statement.argument().unwrap_or_default(),
        state: word("state"),
        interface: word("interface"),
        router: word("virtual_router_id")
            .and_then(|id| id.parse().ok())
            .filter(|id| *id > 0),
        priority: word("priority")
            .and_then(|priority| priority.parse().ok())
            .filter(|found| *found > 0),
        version: match version {
            Some("3") => 3,
            _ if v6 => 3,
            _ => 2,
        },
        nopreempt: statement.last("nopreempt").is_some(),
        source: sources(statement)
            .filter(|source| !source.conditional)
            .last()
            .and_then(|source| address(source.argument()?)),
        peers: peers
            .filter(|peer| !peer.conditional)
            .filter_map(|peer| Some((&peer.place, address(peer.keyword())?)))
            .collect(),
        vips,
    }
}

/// The statements that name the address which adverts leave from, the one of unicast last.
pub(super) fn sources(instance: &Statement) -> impl Iterator<Item = &Statement> {
    let multicast = instance.all("mcast_src_ip");
    multicast.chain(instance.all("unicast_src_ip"))
}

/// An address with or without its prefix length.
pub(super) fn address(word: &str) -> Option<IpAddr> {
    word.split('/').next()?.parse().ok()
}
