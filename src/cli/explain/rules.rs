//! What the rules mean, and what to do: rules that are alike share a text. The sentence of the table comes before it.

use super::Text;

/// Every rule of the table, once.
pub(super) const RULES: &[Text] = &[
    // --- a node takes over --------------------------------------------------------------------------
    Text {
        names: &[
            "promote-on-vip",
            "promote-on-first-vip",
            "promote-on-review",
            "promote-on-up",
            "promote-after-tilt",
            "gate-opened",
            "peer-lost-opens-gate",
            "promote-again",
            "retry-promotion",
            "drift-primary",
            "ack-opens-gate",
            "lead-though-flapping",
        ],
        means: "This node has the VIP, and its Redis is told to take writes. That takes milliseconds; `promoted` follows, or \
                `promote-failed-once`.",
        todo: "Nothing, if `promoted` follows in rha history. Afterwards see why the other node lost the VIP: rha history there, \
               --since before this record. If it happens again and again, rha explain flapping.",
    },
    Text {
        names: &["promoted", "promoted-again", "promoted-first"],
        means: "Redis here takes writes: this node serves. With two nodes the other copy is missing until the other node is back.",
        todo: "Look at the other node: rha status there. If its Redis is down, rha redis start; it joins as a replica by itself, \
               whatever its priority.",
    },
    Text {
        names: &["promoted-older", "promote-older", "last-primary-waited-for"],
        means: "The last primary had, or may have had, writes that the copy here lacks, and did not come back within \
                last_primary_wait. Service goes on with the older copy.",
        todo: "rha history --why says how much may be missing. If it matters, save the data set on the last primary's disk (copy \
               its dump.rdb and appendonly files) before Redis is started there: joining overwrites it.",
    },
    Text {
        names: &["promoted-late", "promote-failed-late"],
        means: "The answer to an order came when it was no longer wanted. Another rule has decided meanwhile.",
        todo: "Nothing. rha status says what this node is now.",
    },
    Text {
        names: &["promote-failed-once", "promote-failed", "retry-waits"],
        means: "Redis did not become a master when it was told to. It is tried again, at growing intervals, as long as the VIP is here.",
        todo: "rha history -n 20 --why has Redis' answer. Look whether it answers: rha check; redis-cli -p PORT role. If it hangs, \
               rha redis restart; if its login is refused, rha explain auth-refused.",
    },
    // --- the gate is shut ------------------------------------------------------------------------------
    Text {
        names: &[
            "hold-on-vip",
            "hold-on-review",
            "hold-on-up",
            "hold-after-tilt",
            "retry-held",
            "drift-held",
            "vip-while-paused",
        ],
        means: "The VIP is here, but Redis is not promoted, since a guard of the promotion gate says no: nobody serves writes now. \
                The record names the guard (blocked by ...).",
        todo: "rha status shows the gate; rha explain GUARD says what opens it. Most open by themselves. If it must be now, and \
               losing what this copy lacks is better than waiting: rha promote --force (it passes lineage-intact only). A pause \
               ends with rha resume.",
    },
    Text {
        names: &["wait-on-vip", "wait-on-review", "wait-on-up"],
        means: "The VIP is here, and the promotion waits for a moment: after a clock jump or a stall until everything was looked at \
                (not-tilted, at most `tilt`), or, where this node was promoted too often, for another node to take over \
                (flap-budget, at most unserved_wait). Then it is promoted.",
        todo: "Nothing for not-tilted. For flap-budget see rha explain flap-budget; rha ack ends the wait.",
    },
    Text {
        names: &["look-on-vip", "look-on-review", "refused-vip"],
        means: "The copy here is not fit to lead, since another node has a better one or this one is half received. After one \
                more look the VIP is handed on.",
        todo: "Nothing: the other node takes over. If the VIP comes back here all the same, rha status on both nodes: keepalived may \
               be in FAULT there.",
    },
    Text {
        names: &["hand-on", "hand-on-older", "hand-on-held", "hand-on-unlike"],
        means: "Another node is better placed to lead, so keepalived here is told to give the VIP up (eligible 0).",
        todo: "See that the other node promotes: rha status there. This one comes back by itself when its copy is complete. Where both \
               hand the VIP to each other, decide which copy is to live: rha promote --force on that node.",
    },
    Text {
        names: &[
            "force-held",
            "force-waits",
            "force-moot",
            "forced",
            "force-writes",
        ],
        means: "An operator said that the copy here leads, although it may lack writes (rha promote --force).",
        todo: "If it was not promoted (force-held), the record names the guard: a Redis that is down, loading or half received cannot \
               lead, and a pause must be ended first. With force-waits it happens when the VIP arrives.",
    },
    // --- a node steps down ------------------------------------------------------------------------------
    Text {
        names: &[
            "demote-on-backup",
            "demote-on-fault",
            "demote-on-stop",
            "drift-replica",
            "follow-on-review",
            "follow-again",
            "wake-up",
        ],
        means: "The VIP is not here, so Redis takes no writes and follows whoever has it. What it had taken that the others lack is \
                overwritten by that.",
        todo: "Look who leads: rha status. If nobody does, rha explain unserved. If nobody moved the VIP on purpose, see keepalived's \
               log on both nodes at this time: lost adverts, or a failed check.",
    },
    Text {
        names: &[
            "exit-primary",
            "fall-primary",
            "exit",
            "fall",
            "kill-hung-primary",
        ],
        means: "Redis here ended or does not answer. The VIP goes to another node, and keepalived may not take it back until Redis is \
                well (rise good checks). A process that exits is believed at once; checks are counted (fall).",
        todo: "See why in Redis' log and in the kernel's (dmesg: out of memory?). Then rha redis start. It joins as a replica.",
    },
    Text {
        names: &[
            "vip-without-redis",
            "review-without-redis",
            "review-redis-down",
            "vip-left-without-redis",
            "fault-without-redis",
        ],
        means: "Redis is down here: this node cannot serve, and keepalived is told so (eligible 0).",
        todo: "rha redis start. If it does not come up, Redis' log says why (a damaged append-only file: redis-check-aof --fix, after a \
               copy was put aside).",
    },
    Text {
        names: &["step-aside", "step-aside-for-more"],
        means: "Two nodes served at once, since VRRP did not pass between them. The older primary gives way, so that writes go to one \
                place, and what it took since the other was promoted is saved (rha rescue); but where nobody wrote to the newer one, \
                that one gives way, and nothing is lost.",
        todo: "Find what drops VRRP (protocol 112, or 224.0.0.18 with multicast) between the nodes: a firewall, a switch, another \
               virtual_router_id. tcpdump -ni IFACE proto 112 on both. It takes part again when it hears the other's adverts.",
    },
    // --- the VIP is elsewhere ------------------------------------------------------------------------------
    Text {
        names: &[
            "rejoin",
            "rejoin-on-backup",
            "complete-again",
            "eligible-again",
            "up-in-vrrp-fault",
            "up-while-stopped",
            "negotiated",
            "negotiated-in-vrrp-fault",
            "review-stopped",
            "review-vrrp-fault",
        ],
        means: "Redis is well here again: keepalived may take the VIP when it is needed, and until then Redis follows the primary. \
                Whatever its priority, it takes the VIP from nobody.",
        todo: "Nothing. `followed` comes next, and the replica's link is up in rha status.",
    },
    Text {
        names: &[
            "followed",
            "followed-apart",
            "still-replica",
            "retry-follow",
        ],
        means: "Redis was told whom to follow and does so; after followed-apart its link is not up yet.",
        todo: "If rha status shows link down for long: is there a primary behind the VIP, does its port let this host in, and is \
               masterauth the primary's password?",
    },
    Text {
        names: &[
            "follow-failed-once",
            "follow-failed",
            "follow-failed-early",
            "follow-failed-late",
        ],
        means: "Redis could not be made a replica. It is tried again; meanwhile it takes no writes through the VIP.",
        todo: "rha history -n 20 --why has the reason. `target is an address of this host`: the VIP is still on this host, see ip addr.",
    },
    Text {
        names: &["vrrp-fault", "fault-though-well", "unserved-vrrp-fault"],
        means: "keepalived is in FAULT, so this node cannot have the VIP, although its Redis may be well.",
        todo: "The interface: ip link. The track files: cat /run/rha/track/*. keepalived's log. A vrrp_script of your own that fails. \
               Where the directory of the track files was replaced: reload keepalived.",
    },
    Text {
        names: &[
            "stopped",
            "stopped-in-fault",
            "keepalived-stopped",
            "stopped-for-long",
        ],
        means: "keepalived was stopped on this node: it takes no part.",
        todo: "If it was you: nothing, but start it again. Else systemctl status keepalived, then systemctl start keepalived.",
    },
    Text {
        names: &["keepalived-lost", "orphaned-vip-alone"],
        means: "keepalived is dead on this node. It cannot take the VIP, and one that it holds cannot move (orphaned-vip-alone: it is \
                kept, since nobody else answers).",
        todo: "systemctl start keepalived; journalctl -u keepalived says why it died. keepalived -t checks its file, rha keepalived \
               lint says more.",
    },
    Text {
        names: &[
            "orphaned-vip",
            "orphaned-vip-without-redis",
            "orphaned-vip-at-run",
            "orphaned-vip-at-run-without-redis",
            "orphaned-vip-contested",
            "orphaned-vip-contested-without-redis",
        ],
        means: "keepalived died and left the VIP on the interface, while another node takes it: rha removes it here, or both would \
                answer for it.",
        todo: "Start keepalived. If clients still reach the wrong host, ip addr on both nodes: the VIP is to be on one.",
    },
    // --- a switchover ------------------------------------------------------------------------------
    Text {
        names: &["switchover", "writes-held", "let-go", "yielding"],
        means: "A switchover is under way: writes wait until the other node has all of them, then the VIP and the clients go there. \
                Each half has a time limit, and writes are taken again where it runs out.",
        todo: "Nothing. rha switchover prints how it ended; rha status shows who leads.",
    },
    Text {
        names: &["switchover-barred", "hand-over-failed", "let-go-failed"],
        means: "The switchover was not begun, or was given up. This node goes on as primary, and no write was lost.",
        todo: "rha switchover --dry-run names each condition that does not hold (target-follows: the other copy is not complete yet). \
               With a slow replica, try again with a longer --timeout.",
    },
    Text {
        names: &["writes-held-late", "let-go-late", "let-go-failed-late"],
        means: "The role changed in the middle of a switchover; what remained of it was given up.",
        todo: "rha status on both nodes: who leads? rha history --why says what came in between.",
    },
    // --- nobody serves, two serve ------------------------------------------------------------------------------
    Text {
        names: &[
            "unserved",
            "unserved-partial",
            "nobody-serves",
            "peer-lost-in-fault",
        ],
        means: "As far as this node sees, no node serves writes. Clients get errors now.",
        todo: "rha status on every node. Start what is down, on the node with the newest data first: rha redis start; systemctl start \
               keepalived rha. A node that is held says which guard holds it. A node cut off from the network sees nobody: check its \
               link first.",
    },
    Text {
        names: &[
            "served-elsewhere",
            "peer-serves",
            "unserved-moot",
            "unserved-negotiating",
            "unserved-while-paused",
        ],
        means: "This node cannot serve at the moment, and that is no alarm: another one serves, it is paused, or it is just starting.",
        todo: "Bring this node back when it suits: while it is down there is no copy to fail over to.",
    },
    Text {
        names: &["two-primaries", "vip-contested", "conflict-over"],
        means: "Two nodes serve, or two have the VIP. What clients write to one of them will be lost.",
        todo: "ip addr on both: is the VIP on both? tcpdump -ni IFACE proto 112: do the adverts pass? Mend that, or stop keepalived on \
               the node whose writes are to go. A VIP that was added by hand: ip addr del.",
    },
    Text {
        names: &[
            "no-replica",
            "replica-lost",
            "redundant",
            "settled",
            "replica-attached",
            "release-writes",
            "release-writes-at-once",
            "guard-writes",
        ],
        means: "How many copies follow the primary: with none, the next fault of this node has no node to go to. With \
                replicated_writes, writes are taken only while a copy is near, unless no other can have been promoted.",
        todo: "rha status on the other nodes: start their Redis and their rha. link down: see `rha explain followed-apart`.",
    },
    Text {
        names: &["peer-lost"],
        means: "The other node's Redis takes no writes any more: it was demoted, it is down, or it does not answer.",
        todo: "Nothing here: if it held the VIP, keepalived brings that here, and promote-on-vip follows. Look at that node.",
    },
    // --- the local Redis and rha's files ------------------------------------------------------------------------------
    Text {
        names: &["auth-refused"],
        means: "Redis refuses rha's login. It lives, so nothing is failed over; but it cannot be promoted or demoted either.",
        todo: "Write the right password into password_file (mode 0600) and reload rha: systemctl reload rha. Try it: rha check.",
    },
    Text {
        names: &["misconfigured"],
        means: "Redis answers MISCONF: it cannot save to disk and refuses writes (stop-writes-on-bgsave-error).",
        todo: "df -h and df -i where its dir is, its log, and vm.overcommit_memory. When a save succeeds, it takes writes again: \
               redis-cli bgsave.",
    },
    Text {
        names: &["effect-failed", "rewrite"],
        means: "An order that is no promotion could not be carried out, often the writing of a track file; it is tried again.",
        todo: "rha history -n 20 --why has the error. No space or no right: ls -ld /run/rha/track; df -h /run.",
    },
    Text {
        names: &["stop-following-itself"],
        means: "Redis was told to follow its own address, which it does silently for ever. It is made to follow nobody.",
        todo: "Find who told it so: a script, or a replicaof line in redis.conf. rha is to be the only one.",
    },
    Text {
        names: &["journal-trouble"],
        means: "The journal is damaged or cannot be written. Who serves is decided all the same, without a record; operators' orders \
                wait.",
        todo: "df -h /var/lib/rha; dmesg for disk errors; rha verify names the first bad record. A damaged part is set aside by itself; \
               rha history --blackbox still tells what it held.",
    },
    // --- before an old primary is overwritten ---------------------------------------------------------
    Text {
        names: &[
            "rescued",
            "rescued-went-on",
            "rescued-in-case",
            "not-rescued",
        ],
        means: "This node led, another one leads now, and following it replaces the data set here. What the new primary lacks of it is \
                saved first, as an RDB below /var/lib/rha/rescue.",
        todo: "rha rescue list; rha rescue diff N lists the keys that the primary lacks or has otherwise, rha rescue show N how to get \
               them back. If it could not be saved: rha explain not-rescued (the alarm's text).",
    },
    // --- tilt, operators ------------------------------------------------------------------------------
    Text {
        names: &["tilted", "tilt-over"],
        means: "The wall clock jumped, or rha did not run for a while: a frozen virtual machine, SIGSTOP, swapping. What it knew is \
                old, so counters begin anew, timers wait that much longer, and nothing is promoted until everything was looked at. \
                Demotion goes on.",
        todo: "Once: nothing. Again and again: the host is overloaded or its clock is not kept (chronyc tracking; vmstat 1; steal time \
               in top). [failover] tilt sets how long it may take.",
    },
    Text {
        names: &["flap-wait-moot"],
        means: "The wait after too many promotions ended, and nothing is to be done: the VIP is elsewhere, or this node leads.",
        todo: "rha explain flapping.",
    },
    Text {
        names: &[
            "paused",
            "review-while-paused",
            "vip-left-while-paused",
            "vrrp-fault-while-paused",
            "vrrp-stop-while-paused",
            "up-while-paused",
            "fall-while-paused",
            "exit-while-paused",
        ],
        means: "An operator has paused automatic actions: what happens is recorded, and nothing is done about it.",
        todo: "rha status says who, why and until when. rha resume ends it, and everything is looked at again at once.",
    },
    Text {
        names: &["acked", "repeat"],
        means: "An alarm is repeated until its cause is over or an operator takes notice (rha ack). Taking notice mends nothing.",
        todo: "rha status shows the alarms that are out; rha explain ALARM says what to do.",
    },
    Text {
        names: &["start-asked", "stop-asked", "restart-asked"],
        means: "An operator asked for it (rha redis). A primary that is stopped hands the VIP on.",
        todo: "rha history names who it was. For maintenance of a primary, rha switchover first: no write is refused then.",
    },
    // --- nothing to do ------------------------------------------------------------------------------
    Text {
        names: &[
            "still-primary",
            "already-leading",
            "vip-elsewhere",
            "fault-confirmed",
            "drift-pending",
            "negotiation-moot",
            "retry-moot",
            "checked",
            "settings-changed",
            "review-waits",
        ],
        means: "What was reported is as decided before: nothing changes.",
        todo: "Nothing.",
    },
    Text {
        names: &["first-start", "review-first-start"],
        means: "Nobody has ever led here. A node of lower priority waits (negotiation_wait for each one above it), so that the one of \
                highest priority leads first.",
        todo: "Nothing, for some seconds. If nobody leads after that: rha status on every node; does keepalived run?",
    },
];
