# Cost against the number of keys: what is O(N), O(log N) and O(1) has its slope.
load "bench-params.gp"
load "growth-range.gp"
height = 760
made_at = 14.0 / height
legend_y = 1 - 50.0 / height
short(x) = x >= 1e9 ? sprintf("%gG", x / 1e9) : x >= 1e6 ? sprintf("%gM", x / 1e6) : x >= 1e3 ? sprintf("%gk", x / 1e3) : sprintf("%g", x)
made = sprintf("%s, %s to %s keys", made_without_keys, short(few), short(many))
load "bench-style.gp"
unset title
heading = "What does a store cost as it grows?"
set label 98 heading at screen 0.5,screen (1 - 22.0 / height) center font ",14" textcolor rgb ink
set logscale xy
set grid ytics lc rgb "#DDDDDD" lw 0.6 dt 1
set xtics ("1 k" 1e3, "10 k" 1e4, "100 k" 1e5, "1 M" 1e6, "10 M" 1e7, "100 M" 1e8)
ns_tics = "set ytics (\"1 ns\" 1, \"10 ns\" 10, \"100 ns\" 100, \"1 us\" 1e3, \"10 us\" 1e4, \"100 us\" 1e5, \"1 ms\" 1e6, \"10 ms\" 1e7, \"100 ms\" 1e8, \"1 s\" 1e9, \"10 s\" 1e10, \"100 s\" 1e11)"
byte_tics = "set ytics (\"1 B\" 1, \"10 B\" 10, \"100 B\" 100, \"1 kB\" 1e3, \"10 kB\" 1e4, \"100 kB\" 1e5, \"1 MB\" 1e6, \"10 MB\" 1e7, \"100 MB\" 1e8, \"1 GB\" 1e9, \"10 GB\" 1e10)"
do for [terminal_kind in "svg png"] {
    eval (terminal_kind eq "svg" ? open_svg("../growth", 900, height) : open_png("../growth", 900, height))
    set multiplot
    do for [p = 0 : 3] {
        lines = 0
        load sprintf("growth-%d.gp", p)
        if (lines > 0) {
            left = 0.085 + 0.49 * (p % 2)
            top = 1 - (92.0 + 325 * (p / 2)) / height
            set lmargin at screen left
            set rmargin at screen left + 0.28
            set tmargin at screen top
            set bmargin at screen top - 222.0 / height
            set title font ",12" offset 0,-0.4
            set xrange [few / 1.5:many * 1.5]
            set xlabel "keys in the store" font ",11" textcolor rgb ink
            eval (is_bytes ? byte_tics : ns_tics)
            plot guide * x / few with lines lw 1.2 dt 2 lc rgb "#BBBBBB" notitle, \
                 for [e = 0 : engines - 1] "growth.tsv" using ($3 == e && $4 == p ? $1 : 1/0):2 with linespoints lw 1.6 pt shape(e) ps 1.0 lc rgb colour(e) notitle
            do for [i = 0 : 10] { unset label 400 + i }
            unset label 98
            unset label 99
            do for [e = 0 : engines - 1] { unset label 80 + e }
        }
    }
    unset multiplot
    set output
    set label 98 heading at screen 0.5,screen (1 - 22.0 / height) center font ",14" textcolor rgb ink
    load "bench-style.gp"
}
