//! rha's settings as the keepalived.conf of one node.
//!
//! What is written and why: health goes out through a track file that fails closed (`weight 0
//! reverse`: missing, empty or 0 is FAULT), a second one carries the bias by which the newest primary
//! outranks all others (keepalived's own `nopreempt` does not hold between two masters), and
//! `rha check` is the belt for a dead agent. Every node is `state BACKUP` with `nopreempt`. Garp and
//! advert options make two masters find each other; the scheduling ones keep short advert intervals
//! from flapping on a busy host.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::value::is_plain_path;
use crate::config::{Config, Instance, Keepalived, Member, Transport, VrrpVersion};

/// Longest label of an IPv4 address (`IFNAMSIZ` less the final zero byte).
const LABEL_MAX: usize = 15;

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No instance has such a node.
    #[error("\"{node}\" is not a node of instance \"{instance}\"; {}", known.join(" or "))]
    UnknownNode {
        /// The name that was asked for.
        node: String,
        /// An instance without it.
        instance: String,
        /// The nodes that it has.
        known: Vec<String>,
    },
    /// keepalived would read the path as something else.
    #[error("keepalived.conf cannot carry the path {}: move it, or set keepalived.check_interval = \"0s\"", path.display())]
    Path {
        /// The path.
        path: PathBuf,
    },
}

/// The keepalived.conf of `node`, with all instances. `rha` is the program that keepalived runs as
/// `rha check`; it is not named where `check_interval` is zero.
///
/// # Errors
/// `node` is not a node of every instance, or a path needs quotes.
pub fn render(config: &Config, node: &str, rha: &Path) -> Result<String, Error> {
    let keepalived = &config.keepalived;
    let mut text = Text::default();
    text.line(&format!(
        "# Made for node {node} by `rha keepalived render`: change {} instead.",
        config.file.display()
    ));
    global(&mut text, config, node);
    for instance in &config.instances {
        let own = instance.member(node).ok_or_else(|| Error::UnknownNode {
            node: node.to_owned(),
            instance: instance.name.clone(),
            known: instance
                .nodes
                .iter()
                .map(|member| format!("\"{}\"", member.name))
                .collect(),
        })?;
        if !keepalived.check_interval.is_zero() {
            check_script(&mut text, config, instance, rha)?;
        }
        track_files(&mut text, config, instance);
        vrrp_instance(&mut text, keepalived, instance, own);
    }
    Ok(text.0)
}

fn global(text: &mut Text, config: &Config, node: &str) {
    let Keepalived { user, group, .. } = &config.keepalived;
    text.block("global_defs", |text| {
        text.line(&format!("router_id rha-{node}"));
        text.line(match config.keepalived.vrrp_version {
            VrrpVersion::V2 => "vrrp_version 2",
            VrrpVersion::V3 => "vrrp_version 3",
        });
        if config.keepalived.transport == Transport::Unicast {
            text.line("vrrp_check_unicast_src");
        }
        let fifo = config.paths.fifo();
        text.line(&format!(
            "vrrp_notify_fifo {} {user} {group}",
            fifo.display()
        ));
        text.line("vrrp_notify_priority_changes yes");
        text.line("fifo_write_vrrp_states_on_reload");
        text.line("enable_script_security");
        text.line(&format!("script_user {user} {group}"));
        text.line(
            "# two masters: the loser answers once more, the winner says again whose the VIP is",
        );
        text.line("vrrp_higher_prio_send_advert yes");
        text.line("vrrp_garp_master_repeat 5");
        text.line("vrrp_garp_master_delay 1");
        text.line("vrrp_garp_master_refresh 5");
        text.line("vrrp_garp_lower_prio_repeat 3");
        text.line("vrrp_garp_lower_prio_delay 1");
        text.line("# a busy host must not miss adverts (not vrrp_rt_priority: without CAP_SYS_RESOURCE a reload kills it then)");
        text.line("vrrp_priority -20");
        text.line("vrrp_no_swap");
        text.line("max_auto_priority -1");
        text.line("# a bad file is refused by a reload instead of stopping keepalived");
        text.line("reload_check_config");
    });
}

/// The belt for a dead agent. `rise 1`: coming back is the eligible file's affair.
fn check_script(
    text: &mut Text,
    config: &Config,
    instance: &Instance,
    rha: &Path,
) -> Result<(), Error> {
    let seconds = config.keepalived.check_interval.as_secs();
    let (rha, file) = (plain(rha)?, plain(&config.file)?);
    let name = &instance.name;
    text.block(&format!("vrrp_script rha_{name}_check"), |text| {
        text.line(&format!("script \"{rha} check {name} --config {file}\""));
        text.line(&format!("interval {seconds}"));
        text.line(&format!("timeout {seconds}"));
        text.line(&format!("fall {}", config.health.fall));
        text.line("rise 1");
    });
    Ok(())
}

fn plain(path: &Path) -> Result<String, Error> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let word = absolute.to_str().filter(|word| is_plain_path(word));
    word.map(str::to_owned).ok_or(Error::Path {
        path: absolute.clone(),
    })
}

fn track_files(text: &mut Text, config: &Config, instance: &Instance) {
    let name = &instance.name;
    text.block(&format!("track_file rha_{name}_eligible"), |text| {
        text.line("# missing, empty or 0: FAULT");
        text.line(&format!("file {}", config.paths.eligible(name).display()));
        text.line("weight 0 reverse");
    });
    text.block(&format!("track_file rha_{name}_bias"), |text| {
        text.line(&format!(
            "# added to the priority: 0 or {}",
            instance.bias()
        ));
        text.line(&format!("file {}", config.paths.bias(name).display()));
        text.line("weight 1");
    });
}

fn vrrp_instance(text: &mut Text, keepalived: &Keepalived, instance: &Instance, own: &Member) {
    let name = &instance.name;
    text.block(
        &format!("vrrp_instance {}", instance.vrrp_instance),
        |text| {
            text.line("state BACKUP");
            text.line("nopreempt");
            text.line(&format!("interface {}", instance.interface));
            text.line(&format!("virtual_router_id {}", instance.virtual_router_id));
            text.line(&format!("priority {}", own.priority));
            text.line(&format!(
                "advert_int {}",
                seconds(keepalived.advert_interval)
            ));
            // Without a peer, keepalived would ignore unicast and say so at every start.
            if keepalived.transport == Transport::Unicast && instance.nodes.len() > 1 {
                text.line(&format!("unicast_src_ip {}", own.address));
                text.block("unicast_peer", |text| {
                    for peer in instance.others(&own.name) {
                        text.line(&peer.address.to_string());
                    }
                });
            }
            if !keepalived.check_interval.is_zero() {
                text.block("track_script", |text| {
                    text.line(&format!("rha_{name}_check"));
                });
            }
            text.block("track_file", |text| {
                text.line(&format!("rha_{name}_eligible"));
                text.line(&format!("rha_{name}_bias"));
            });
            text.block("virtual_ipaddress", |text| text.line(&vip(instance)));
            text.line("notify_deleted");
        },
    );
}

/// The VIP as a host address, with a label that `ifconfig` can show where it is short enough.
fn vip(instance: &Instance) -> String {
    let Instance { vip, interface, .. } = instance;
    let label = format!("{interface}:rha");
    match vip {
        IpAddr::V6(vip) => format!("{vip}/128 dev {interface}"),
        IpAddr::V4(vip) if label.len() <= LABEL_MAX => {
            format!("{vip}/32 dev {interface} label {label}")
        }
        IpAddr::V4(vip) => format!("{vip}/32 dev {interface}"),
    }
}

/// Seconds as keepalived reads them: `0.1`, `0.25`, `1`.
fn seconds(duration: Duration) -> String {
    let hundredths = duration.subsec_millis() / 10;
    let text = format!("{}.{hundredths:02}", duration.as_secs());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Lines, each block indented by four blanks.
#[derive(Default)]
struct Text(String, usize);

impl Text {
    fn line(&mut self, line: &str) {
        self.0.push_str(&"    ".repeat(self.1));
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn block(&mut self, head: &str, body: impl FnOnce(&mut Self)) {
        if self.1 == 0 {
            self.0.push('\n');
        }
        self.line(&format!("{head} {{"));
        self.1 += 1;
        body(self);
        self.1 -= 1;
        self.line("}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advert_intervals_in_seconds() {
        for (millis, expected) in [
            (100, "0.1"),
            (10, "0.01"),
            (250, "0.25"),
            (1000, "1"),
            (10_000, "10"),
            (40_950, "40.95"),
        ] {
            assert_eq!(seconds(Duration::from_millis(millis)), expected);
        }
    }
}
