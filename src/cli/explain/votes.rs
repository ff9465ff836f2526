//! What the rules of a quorum mean, and what to do.

use super::Text;

/// The rules about the right to lead.
pub(super) const RULES: &[Text] = &[
    Text {
        names: &[
            "claim-on-vip",
            "claim-on-first-vip",
            "claim-on-up",
            "claim-on-review",
            "withdraw",
            "withdraw-moot",
        ],
        means: "[quorum] is configured, so a promotion needs the right to lead: it is asked for. After a clean end of the last primary that \
                takes milliseconds; where that one fell silent, until its lease has run out.",
        todo: "Nothing, if `lead-gained` follows in rha history. Else rha explain quorum.",
    },
    Text {
        names: &["lead-gained", "lead-gained-late"],
        means: "The voters gave this node the right to lead.",
        todo: "Nothing.",
    },
    Text {
        names: &[
            "lead-waited-for",
            "lead-moot",
            "lead-led-elsewhere",
            "vote-changed",
        ],
        means: "The right to lead was waited for. A voter that stands for another node, or does not answer, keeps it from this one.",
        todo: "rha status names the voters and for whom each stands. Start those that are down. Only if you know that no other node takes \
               writes: rha promote --force.",
    },
    Text {
        names: &[
            "lead-lost-while-paused",
            "lead-handed-on",
            "let-go-unheld",
            "fence",
            "fence-hung",
            "fenced-hung",
            "fenced-master",
        ],
        means: "This node has lost the right to lead, or gives it on: another node may be promoted now, so Redis here takes no writes.",
        todo: "rha status: which voters answer? ping and curl them from here. It takes part again by itself when they answer; with all \
               voters lost for good, rha promote --force on the node with the newest copy.",
    },
    Text {
        names: &[
            "still-fenced",
            "vip-while-fenced",
            "unfenced",
            "unfenced-to-follow",
            "force-unfenced",
        ],
        means: "A node that has lost the right to lead takes no part until enough voters answer, another node is seen to serve, or an \
                operator says that this one leads.",
        todo: "If it stays fenced: rha explain quorum.",
    },
    Text {
        names: &[
            "fenced-with-more",
            "waits-with-more",
            "hand-back",
            "lead-out-of-sight",
        ],
        means: "A primary was cut off and fenced, another node was promoted by right, and nobody wrote to that one. The old primary has \
                all that it has, and more: so it is given the VIP back, and no write is lost.",
        todo: "Nothing, if the old primary leads again in rha status. Else it follows as soon as somebody writes to the new one, and what \
               it has is saved: rha rescue list.",
    },
    Text {
        names: &["newest-primary"],
        means: "After a partition two nodes may have the VIP, and the higher VRRP priority keeps it. Who was promoted later has it, as \
                soon as something was written to it. Until then it is the primary before, where clients may have gone on.",
        todo: "Nothing. If both took writes, what the older one took is saved as they meet: rha rescue list.",
    },
];
