//! The detector of keys in the audio keeps the limits of ITU-T Q.24, and is no worse than the best known, by
//! the procedure of the CM7291 tape. `cargo bench --bench dtmf` prints the figures and has the longer tape.

mod cm7291;

use cm7291::sound::{Key, Line, told};
use cm7291::tape::Kind;
use cm7291::{bands, concealed, decoded, dial_tone, disturbed, durations, guard_time, levels};
use cm7291::{network_tones, pauses, signal_to_noise, twist};

#[test]
fn every_key_is_told_ten_times_of_ten() {
    for line in Line::ALL {
        assert_eq!(decoded(line), 160, "{line}");
    }
}

#[test]
fn each_frequency_is_heard_up_to_1_5_percent_off_and_not_from_3_5_percent_on() {
    for line in Line::ALL {
        for band in bands(line) {
            for edge in [band.below, band.above] {
                assert!((1.5..3.5).contains(&edge), "{line} {band:?}");
            }
            assert!(
                (3.3..=6.3).contains(&(band.below + band.above)),
                "{line} {band:?}"
            );
        }
    }
}

#[test]
fn a_twist_of_8_db_and_a_reverse_twist_of_4_db_are_heard_and_not_much_more() {
    for line in Line::ALL {
        let (normal, reverse) = (twist(line, true), twist(line, false));
        assert!(
            normal.least >= 8.0 && normal.most <= 10.0,
            "{line} {normal:?}"
        );
        assert!(
            reverse.least >= 4.0 && reverse.most <= 6.0,
            "{line} {reverse:?}"
        );
    }
}

#[test]
fn the_dynamic_range_is_at_least_39_db_without_a_gap() {
    for line in Line::ALL {
        let levels = levels(line);
        assert!(levels.len() >= 39, "{line} {levels:?}");
        assert!(
            levels.windows(2).all(|pair| pair[0] == pair[1] + 1),
            "{line} {levels:?}"
        );
    }
}

#[test]
fn a_key_of_27_ms_is_told_and_one_of_23_ms_is_not_wherever_it_begins() {
    for line in Line::ALL {
        let found = durations(line);
        assert!(
            found.most <= 27.0 && found.least >= 23.0,
            "{line} {found:?}"
        );
        assert!(guard_time(line) <= 27.0, "{line}");
    }
}

#[test]
fn an_interruption_of_10_ms_is_bridged_and_a_pause_of_40_ms_is_seen() {
    let found = pauses();
    assert!(found.least >= 10.0 && found.most <= 40.0, "{found:?}");
}

#[test]
fn a_thousand_keys_of_a_thousand_are_told_in_noise_9_db_below_a_tone() {
    for line in Line::ALL {
        for key in ['1', '5', '9', 'D'] {
            assert!(signal_to_noise(line, key, 1_000) <= 9, "{line} {key}");
        }
    }
}

#[test]
fn dial_tone_10_db_louder_than_the_keys_is_taken_out() {
    for line in Line::ALL {
        assert!(dial_tone(line) <= -10, "{line}");
    }
}

#[test]
fn direct_current_hum_clipping_and_a_loud_line_spoil_no_key() {
    for line in Line::ALL {
        for (what, right) in disturbed(line) {
            assert_eq!(right, 16, "{line}: {what}");
        }
    }
}

#[test]
fn a_key_of_80_ms_with_a_lost_frame_is_told_once_and_a_shorter_one_never_twice() {
    assert_eq!(concealed(80)[1..], [0, 0]);
    for ms in [40, 60] {
        let [one, none, more] = concealed(ms);
        assert_eq!(more, 0, "{ms} ms");
        let least = if ms == 60 { 0.9 } else { 0.5 };
        assert!(
            one as f64 >= least * (one + none) as f64,
            "{ms} ms: {one} of {}",
            one + none
        );
    }
}

#[test]
fn tones_of_the_network_and_of_machines_are_no_keys() {
    for (what, told) in network_tones() {
        assert_eq!(told, "", "{what}");
    }
}

/// The first minutes of what the benchmark hears: two of each kind, fourteen in all.
#[test]
fn voices_and_music_of_fourteen_minutes_hold_two_keys_at_most() {
    let found = Kind::ALL.map(|kind| (kind.name(), told(&kind.record(120, 7_291))));
    let count: usize = found.iter().map(|(_, told)| told.len()).sum();
    assert!(count <= 2, "{found:?}");
}

#[test]
fn a_key_1_5_percent_off_with_all_twist_that_is_allowed_is_told_in_40_ms() {
    for key in "0123456789*#ABCD".chars() {
        for off in [
            (0.015, 0.015),
            (0.015, -0.015),
            (-0.015, 0.015),
            (-0.015, -0.015),
        ] {
            for dbm0 in [(-10.0, -18.0), (-14.0, -10.0), (-22.0, -22.0)] {
                for lead in (0..40).step_by(3) {
                    let pulse = Key::of(key).ms(40.0).off(off.0, off.1).dbm0(dbm0.0, dbm0.1);
                    let sound = [&vec![0; lead][..], &pulse.pulse()].concat();
                    assert_eq!(told(&sound), key.to_string(), "{off:?} {dbm0:?} {lead}");
                }
            }
        }
    }
}
