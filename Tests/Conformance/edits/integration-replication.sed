# Waits for: scripting. Functions are neither loaded nor called; the rest of each test stands.
/function load {/,/^ *}$/d
/fcall test 0/d
