# How long operations took: the share that took longer, so that the tail has as much room as the rest.
load "bench-params.gp"
load "latencies-panels.gp"
rows_of = (panels + 1) / 2
height = 110 + 290 * rows_of
made_at = 14.0 / height
legend_y = 1 - 50.0 / height
load "bench-style.gp"
unset title
set label 98 "How long do most operations take, and how long the slowest?" at screen 0.5,screen (1 - 22.0 / height) center font ",14" textcolor rgb ink
set logscale xy
set format x "%g"
set xtics ("10 ns" 10, "" 100, "1 us" 1e3, "" 1e4, "100 us" 1e5, "" 1e6, "10 ms" 1e7, "" 1e8, "1 s" 1e9, "" 1e10, "100 s" 1e11)
set ytics ("all" 1, "half" 0.5, "1 in 10" 0.1, "1 in 100" 0.01, "1 in 1 000" 0.001, "1 in 10 000" 1e-4, "1 in 100 000" 1e-5, "1 in 1 000 000" 1e-6)
set grid ytics lc rgb "#DDDDDD" lw 0.6 dt 1
title_of(p) = p == 0 ? panel0 : p == 1 ? panel1 : p == 2 ? panel2 : panel3
do for [terminal_kind in "svg png"] {
    eval (terminal_kind eq "svg" ? open_svg("../latencies", 900, height) : open_png("../latencies", 900, height))
    set multiplot
    do for [p = 0 : panels - 1] {
        left = 0.13 + 0.475 * (p % 2)
        top = 1 - (92.0 + 290 * (p / 2)) / height
        set lmargin at screen left
        set rmargin at screen left + 0.375
        set tmargin at screen top
        set bmargin at screen top - 190.0 / height
        set title title_of(p) font ",12" offset 0,-0.4
        set xlabel "time an operation takes (log scale)" font ",11" textcolor rgb ink
        if (p % 2 == 0) { set ylabel "share that takes longer" font ",11" textcolor rgb ink } else { unset ylabel }
        set autoscale x
        set yrange [1:1e-5] noextend
        plot for [e = 0 : engines - 1] "latencies.tsv" using ($3 == e && $4 == p ? $1 : 1/0):2 with linespoints lw 1.6 pt shape(e) ps 0.7 pi 40 lc rgb colour(e) notitle
        # Names and provenance once.
        unset label 98
        unset label 99
        do for [e = 0 : engines - 1] { unset label 80 + e }
    }
    unset multiplot
    set output
    set label 98 "How long do most operations take, and how long the slowest?" at screen 0.5,screen (1 - 22.0 / height) center font ",14" textcolor rgb ink
    load "bench-style.gp"
}
