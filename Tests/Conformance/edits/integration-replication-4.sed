# Waits for: scripting. Functions are not loaded and no script is run; the rest of each test stands.
/FUNCTION load replace {/,/^ *}$/d
/\$master eval /d
