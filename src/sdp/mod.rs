//! The sdp room.
