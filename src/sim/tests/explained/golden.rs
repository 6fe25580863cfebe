//! The ladders, as they are printed.

pub(super) const GOLDEN_MENU: &str = r#"call ID, incoming, 2023-11-14T22:13:20.005000Z
from caller@10.0.0.21 to menu@10.0.0.1

        s  10.0.0.21:20000                         switch
    0.000  |----- INVITE sip:menu@10.0.0.1:5060 ---->|   CSeq 1, 499 octets
    0.001  |                                         |   media: our RTP port is 10000
    0.001  |                                         |   * ringing
    0.001  |                                         |   flow: answer
    0.001  |                                         |   * progressing
    0.001  |                                         |   flow: talk (top)
    0.001  |<----------- 200 OK (INVITE) ------------|   CSeq 1, 716 octets
    0.001  |                                         |   media: PCMU with 10.0.0.21:40000, by its
           |                                         |     SDP
    0.007  |                                         |   media: RTP comes from 10.0.0.21:40000
    0.011  |------ ACK sip:menu@10.0.0.1:5060 ------>|   CSeq 1, 280 octets
    0.031  |                                         |   media: playback begins
    1.007  |                                         |   a key is pressed
    1.007  |                                         |   flow: digits_receive
    1.007  |                                         |   flow: branch
    1.007  |                                         |   flow: talk (two)
    1.007  |                                         |   media: playback ends: interrupted
    1.037  |                                         |   media: playback begins
    1.200  |----- INVITE sip:menu@10.0.0.1:5060 ---->|   CSeq 2, 520 octets
    1.200  |                                         |   media: the party holds us
    1.200  |<----------- 200 OK (INVITE) ------------|   CSeq 2, 716 octets
    1.200  |                                         |   media: PCMU with 10.0.0.21:40000, by its
           |                                         |     SDP
    1.210  |------ ACK sip:menu@10.0.0.1:5060 ------>|   CSeq 2, 280 octets
    1.500  |----- INVITE sip:menu@10.0.0.1:5060 ---->|   CSeq 3, 520 octets
    1.500  |                                         |   media: the party takes us back
    1.500  |<----------- 200 OK (INVITE) ------------|   CSeq 3, 716 octets
    1.500  |                                         |   media: PCMU with 10.0.0.21:40000, by its
           |                                         |     SDP
    1.510  |------ ACK sip:menu@10.0.0.1:5060 ------>|   CSeq 3, 280 octets
    2.038  |                                         |   media: playback ends: done
    2.038  |                                         |   flow: hangup (end)
    2.038  |                                         |   * terminating
    2.038  |<--- BYE sip:caller@10.0.0.21:20000 -----|   CSeq 1, 334 octets
    2.039  |                                         |   media: media closed
    2.039  |                                         |   * hangup

ended by local: flow_ended (SIP 200, Q.850 16)
  the flow hung up
sound: PCMU, 86 packets sent, 102 received, 0 lost, 0 late, jitter 1 ms, MOS heard 4.40 said -,
  media delay digit 0.000/0.000/0.000 ms of 1
"#;

pub(super) const GOLDEN_STRANGER: &str = r#"call ID, incoming, 2023-11-14T22:13:20.005000Z
from caller@203.0.113.7 to menu@10.0.0.1

        s  203.0.113.7:20000                       switch
    0.000  |----- INVITE sip:menu@10.0.0.1:5060 ---->|   CSeq 1, 509 octets

ended by local: trunk_not_recognised
  203.0.113.7 is no trunk and was not answered: the nearest network is 203.0.113.64/26 of trunk
    "near", with 25 bits in common
  -> If the call came from the carrier, add "203.0.113.7" to `allowed_ips` of [[trunks]] "near";
    else nothing is to be done.
"#;

pub(super) const GOLDEN_BUSY: &str = r#"call ID, outgoing, 2023-11-14T22:13:20.006000Z
from alice@10.0.0.21 to +15551112222

        s  10.0.1.1:5060                           switch
    0.000  |                                         |   * dialing
    0.011  |                                         |   media: our RTP port is 10002
    0.011  |<- INVITE sip:+15551112222@carrier.e.. --|   CSeq 1, 973 octets
    0.021  |-------- 486 Busy Here (INVITE) -------->|   CSeq 1, 291 octets
    0.021  |<- ACK sip:+15551112222@carrier.exam.. --|   CSeq 1, 329 octets
    0.022  |                                         |   media: media closed
    0.022  |                                         |   * hangup

ended by remote: refused_486 (SIP 486, Q.850 17)
  the peer refused with 486 Busy Here
"#;

pub(super) const GOLDEN_NO_ACK: &str = r#"call ID, incoming, 2023-11-14T22:13:20.005000Z
from caller@10.0.0.21 to patience@10.0.0.1

        s  10.0.0.21:20000                         switch
    0.000  |--- INVITE sip:patience@10.0.0.1:5060 -->|   CSeq 1, 507 octets
    0.001  |                                         |   media: our RTP port is 10000
    0.001  |                                         |   * ringing
    0.001  |                                         |   flow: answer
    0.001  |                                         |   * progressing
    0.001  |                                         |   flow: sleep
    0.001  |<----------- 200 OK (INVITE) ------------|   CSeq 1, 724 octets, 10 times more within
           |                                         |     31.500 s
    0.001  |                                         |   media: PCMU with 10.0.0.21:40000, by its
           |                                         |     SDP
   32.001  |                                         |   * terminating
   32.001  |<--- BYE sip:caller@10.0.0.21:20000 -----|   CSeq 1, 314 octets
   32.002  |                                         |   media: media closed
   32.002  |                                         |   * hangup

ended by local: no_ack (SIP 200, Q.850 18)
  no ACK came within 32 s for our 200, whose Contact was <sip:patience@10.0.0.1:5060>
  -> The caller has to reach the Contact of our 200: behind NAT set `external_address` of [sip] to
    the public address, and let its firewall pass both ways.
found: no_rtp
  no RTP came in 32.0 s at our port 10000: it was expected from 10.0.0.21:40000, as the SDP of the
    peer says; nothing came at all
  -> The peer names a private address: where it is behind NAT it has to send first; check that UDP
    passes from it to our RTP ports.
sound: PCMU, 2 packets sent, 0 received, 0 lost, 0 late, jitter 0 ms, MOS heard - said -, media
  delay none
"#;

pub(super) const GOLDEN_NO_RTP: &str = r#"call ID, incoming, 2023-11-14T22:13:20.005000Z
from caller@10.0.0.21 to echo@10.0.0.1

        s  10.0.0.21:20000                         switch
    0.000  |----- INVITE sip:echo@10.0.0.1:5060 ---->|   CSeq 1, 499 octets
    0.001  |                                         |   media: our RTP port is 10000
    0.001  |                                         |   * ringing
    0.001  |                                         |   flow: answer
    0.001  |                                         |   * progressing
    0.001  |                                         |   flow: echo
    0.001  |<----------- 200 OK (INVITE) ------------|   CSeq 1, 716 octets
    0.001  |                                         |   media: PCMU with 10.0.0.21:40000, by its
           |                                         |     SDP
    0.001  |                                         |   media: echo begins
    0.011  |------ ACK sip:echo@10.0.0.1:5060 ------>|   CSeq 1, 280 octets
    5.002  |                                         |   media: echo ends: done
    5.002  |                                         |   * terminating
    5.002  |<--- BYE sip:caller@10.0.0.21:20000 -----|   CSeq 1, 334 octets
    5.003  |                                         |   media: media closed
    5.003  |                                         |   * hangup

ended by local: flow_ended (SIP 200, Q.850 16)
  the flow hung up
found: no_rtp
  no RTP came in 5.0 s at our port 10000: it was expected from 10.0.0.21:40000, as the SDP of the
    peer says; nothing came at all
  -> The peer names a private address: where it is behind NAT it has to send first; check that UDP
    passes from it to our RTP ports.
sound: PCMU, 0 packets sent, 0 received, 0 lost, 0 late, jitter 0 ms, MOS heard - said -, media
  delay none
"#;

pub(super) const GOLDEN_NO_COMMON_CODEC: &str = r#"call ID, incoming, 2023-11-14T22:13:20.005000Z
from caller@10.0.0.21 to menu@10.0.0.1

        s  10.0.0.21:20000                         switch
    0.000  |----- INVITE sip:menu@10.0.0.1:5060 ---->|   CSeq 1, 465 octets
    0.000  |<-- 488 Not Acceptable Here (INVITE) ----|   CSeq 1, 360 octets

ended by local: no_common_codec (SIP 488)
  no common codec: the peer offers G729/8000; we have PCMU, PCMA, G722, opus
  -> Add one of the codecs offered to `codecs` of [rtp] or of the [[trunks]], or switch one of
    ours on at the peer.
"#;
