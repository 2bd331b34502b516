# Amplification: what a byte of the user costs in bytes. Bars begin at 1, where nothing is amplified.
load "bench-params.gp"
load "factors-names.gp"
bars = bars0 > bars1 ? bars0 : bars1
bars = bars2 > bars ? bars2 : bars
height = 128 + 34 * bars
made_at = 14.0 / height
legend_y = 2
load "bench-style.gp"
unset title
set label 98 "How many bytes does a byte cost?" at screen 0.5,screen (1 - 20.0 / height) center font ",14" textcolor rgb ink
set logscale x
near_tics = 'set xtics ("1 x" 1, "2" 2, "5" 5, "10" 10, "20" 20, "50" 50, "100" 100)'
far_tics = 'set xtics ("1 x" 1, "10" 10, "100" 100, "1k" 1e3, "10k" 1e4, "100k" 1e5, "1M" 1e6)'
set grid xtics lc rgb "#DDDDDD" lw 0.6 dt 1
set style fill solid 1 noborder
title_of(p) = p == 0 ? title0 : p == 1 ? title1 : title2
low_of(p) = p == 0 ? low0 : p == 1 ? low1 : low2
high_of(p) = p == 0 ? high0 : p == 1 ? high1 : high2
bars_of(p) = p == 0 ? bars0 : p == 1 ? bars1 : bars2
do for [terminal_kind in "svg png"] {
    eval (terminal_kind eq "svg" ? open_svg("../amplification", 900, height) : open_png("../amplification", 900, height))
    set multiplot
    do for [p = 0 : 2] {
        if (bars_of(p) > 0) {
            left = 0.03 + 0.325 * p
            set border 0
            unset ytics
            set lmargin at screen left
            set rmargin at screen left + 0.29
            set tmargin at screen 1 - 62.0 / height
            set bmargin at screen 58.0 / height
            set title title_of(p) font ",12" offset 0,-0.4
            set xrange [low_of(p):high_of(p)]
            eval (high_of(p) > 150 ? far_tics : near_tics)
            set yrange [-bars + 0.4:0.6]
            do for [i = 0 : bars_of(p) - 1] {
                eval sprintf("here = name%d_%d", p, i)
                set label 300 + i here at first 1,first (-i + 0.36) left offset 0.2,0 font ",11" textcolor rgb ink
            }
            plot for [e = 0 : engines - 1] "factors.tsv" using ($3 == e && $4 == p ? 1 : 1/0):(-$2 - 0.14):(1):1:(-$2 - 0.36):(-$2 + 0.08) with boxxyerror lc rgb colour(e) notitle
            do for [i = 0 : bars - 1] { unset label 300 + i }
            unset label 98; unset label 99
        }
    }
    unset multiplot
    set output
    set label 98 "How many bytes does a byte cost?" at screen 0.5,screen (1 - 20.0 / height) center font ",14" textcolor rgb ink
    load "bench-style.gp"
}
