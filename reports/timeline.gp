# The timeline: a lane a node, role as the bar's colour, down as a gap, cuts as brackets between lanes, faults as bands, writes that were lost or reused as marks,
# clients' outcomes as a strip beneath, the first moment of each violation as a numbered line.
load "params.gp"
load "style.gp"
chart = 60 * (nodes + 1) > 270 ? 60 * (nodes + 1) : 270
height = chart + 130 + 16 * band_rows + 18 * mark_rows
mark_step = 18.0 / height
mark_base = (22 + 18.0 * (mark_rows + 1)) / height
set title "Who led, who was cut off, and when were promises broken?" offset 0,0.75 * band_rows
set key maxcols 1 spacing 1.1 font ",11"
set xlabel offset 0,0.3
set lmargin 12
set rmargin at screen 0.755
set tmargin at screen 1 - (42 + 16.0 * band_rows) / height
set bmargin at screen (88 + 18.0 * mark_rows) / height
unset grid
set border 1
set yrange [-1.15:nodes - 0.3]
set ytics scale 0 ()
load "lanes.gp"
set ytics add ("clients" -0.75)
load "bands.gp"
load "marks.gp"
do for [terminal_kind in "svg png"] {
    eval (terminal_kind eq "svg" ? open_svg("../timeline", 1000, height) : open_png("../timeline", 1000, height))
    plot "lanes.tsv" using 1:($5 == 1 ? $3 : 1/0):1:2:($3 - 0.27):($3 + 0.27) with boxxyerror fs solid 1 noborder lc rgb leader title "leader", \
         "lanes.tsv" using 1:($5 == 2 ? $3 : 1/0):1:2:($3 - 0.17):($3 + 0.17) with boxxyerror fs solid 1 noborder lc rgb follower title "follower", \
         "lanes.tsv" using 1:($5 == 3 ? $3 : 1/0):1:2:($3 - 0.17):($3 + 0.17) with boxxyerror fs solid 1 noborder lc rgb recovering title "candidate, recovering", \
         "lanes.tsv" using 1:($5 == 4 ? $3 : 1/0):1:2:($3 - 0.22):($3 + 0.22) with boxxyerror fs pattern 4 lc rgb down title "paused", \
         "lanes.tsv" using 1:($5 == 0 ? $3 : 1/0):($2 - $1):(0) with vectors nohead lw 1.4 dt 3 lc rgb down title "down", \
         "cuts.tsv" using 1:2:(0):($3 - $2) with vectors heads size screen 0.004,90 fixed lw 2 dt 2 lc rgb cut title "cut off", \
         "points.tsv" using 1:($3 == 0 ? $2 : 1/0) with points pt 1 ps 0.5 lw 1 lc rgb ok title "acknowledged write", \
         "points.tsv" using 1:($3 == 1 ? $2 + 0.1 : 1/0) with points pt 13 ps 0.85 lc rgb "#5E2A00" notitle, \
         "points.tsv" using 1:($3 == 1 ? $2 + 0.1 : 1/0) with points pt 13 ps 0.55 lc rgb fail title "lost write", \
         "points.tsv" using 1:($3 == 2 ? $2 - 0.1 : 1/0) with points pt 9 ps 0.9 lc rgb "#222222" notitle, \
         "points.tsv" using 1:($3 == 2 ? $2 - 0.1 : 1/0) with points pt 9 ps 0.55 lc rgb recovering title "key issued twice", \
         "outcomes.tsv" using 1:(-0.75):1:2:(-0.95):(-0.95 + 0.4 * $3) with boxxyerror fs solid 1 noborder lc rgb ok title "answered ok", \
         "outcomes.tsv" using 1:(-0.75):1:2:(-0.95 + 0.4 * $3):(-0.95 + 0.4 * $4) with boxxyerror fs solid 1 noborder lc rgb fail title "failed", \
         "outcomes.tsv" using 1:(-0.75):1:2:(-0.95 + 0.4 * $4):(-0.95 + 0.4 * $5) with boxxyerror fs solid 1 noborder lc rgb unknown title "unknown"
    set output
}
