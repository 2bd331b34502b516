/* Network presets: named sets of latencies and transport habits, each with its source.
 *
 * Where a source gives a mean only, the spread is ours and says so. Common to all: ordered
 * transport; 200 ms for a retransmission (Linux TCP_RTO_MIN); a hundred milliseconds from a
 * heal to the first message (clients of a database pool try again about ten times a second: our
 * choice); cuts drop what is in flight.
 */
#include "sim/world/network.h"

#define US(n) ((n)*NS_PER_US)
#define MS(n) ((n)*NS_PER_MS)
#define UNIFORM(low, high)                                                                     \
    {                                                                                          \
        .kind = DIST_UNIFORM, .a = (low), .b = (high)                                          \
    }
#define CONSTANT(value)                                                                        \
    {                                                                                          \
        .kind = DIST_CONSTANT, .a = (value)                                                    \
    }
#define TEN_GIGABIT INT64_C(1250000000)

#define COMMON                                                                                 \
    .local_latency = CONSTANT(US(20)), .bytes_per_s = TEN_GIGABIT, .reorder_ns = MS(1),        \
    .retransmit_ns = MS(200), .reconnect_ns = MS(100), .transport = NETWORK_ORDERED,           \
    .in_flight = NETWORK_DROP

/* One way = half of the mean round trip, spread by 3 % to either side (ours: the source gives
 * means). */
#define RTT(a, b, tenths_ms)                                                                   \
    {                                                                                          \
        a, b, UNIFORM(US(tenths_ms * 50) / 100 * 97, US(tenths_ms * 50) / 100 * 103)           \
    }

static const struct network_place_route aws_routes[] = {
    RTT("virginia", "california", 727),   RTT("virginia", "oregon", 870),
    RTT("virginia", "ireland", 806),      RTT("virginia", "frankfurt", 887),
    RTT("virginia", "tokyo", 1453),       RTT("virginia", "seoul", 1784),
    RTT("virginia", "singapore", 2167),   RTT("virginia", "sydney", 2300),
    RTT("virginia", "sao_paulo", 1195),   RTT("california", "oregon", 195),
    RTT("california", "ireland", 1532),   RTT("california", "frankfurt", 1666),
    RTT("california", "tokyo", 1025),     RTT("california", "seoul", 1315),
    RTT("california", "singapore", 1740), RTT("california", "sydney", 1575),
    RTT("california", "sao_paulo", 1927), RTT("oregon", "ireland", 1370),
    RTT("oregon", "frankfurt", 1595),     RTT("oregon", "tokyo", 891),
    RTT("oregon", "seoul", 1183),         RTT("oregon", "singapore", 1614),
    RTT("oregon", "sydney", 1622),        RTT("oregon", "sao_paulo", 1827),
    RTT("ireland", "frankfurt", 196),     RTT("ireland", "tokyo", 2124),
    RTT("ireland", "seoul", 2424),        RTT("ireland", "singapore", 2390),
    RTT("ireland", "sydney", 3096),       RTT("ireland", "sao_paulo", 1913),
    RTT("frankfurt", "tokyo", 2365),      RTT("frankfurt", "seoul", 2662),
    RTT("frankfurt", "singapore", 3259),  RTT("frankfurt", "sydney", 3235),
    RTT("frankfurt", "sao_paulo", 1949),  RTT("tokyo", "seoul", 314),
    RTT("tokyo", "singapore", 738),       RTT("tokyo", "sydney", 1039),
    RTT("tokyo", "sao_paulo", 2568),      RTT("seoul", "singapore", 719),
    RTT("seoul", "sydney", 1340),         RTT("seoul", "sao_paulo", 2863),
    RTT("singapore", "sydney", 1753),     RTT("singapore", "sao_paulo", 3281),
    RTT("sydney", "sao_paulo", 3225),
};

static const struct dist fdb_parts[] = {UNIFORM(US(100), US(800)), UNIFORM(US(800), MS(100))};
static const uint32_t fdb_weights[] = {999000, 1000};

#define LAN_LATENCY UNIFORM(US(200), US(300))

const struct network_preset network_presets[] = {
    {.name = "lan",
     .doc = "one data centre: 250 us one way inside a region, 36 ms between regions, 10 Gbit/s",
     .source = "intra-rack round trip of about 0.5 ms (Bailis et al., HAT, VLDB 2013, EC2); "
               "the spread is our choice",
     .config = {COMMON, .latency = LAN_LATENCY,
                .between_regions = UNIFORM(US(35500), US(36500))}},
    {.name = "cross_az",
     .doc = "zones of one cloud region: 250 us inside a zone, 500 us between zones",
     .source = "best of 50 pings between zones: 0.25 to 3.37 ms (xkyle.com, Measuring AWS "
               "Region and AZ Latency)",
     .config = {COMMON, .latency = LAN_LATENCY, .between_regions = UNIFORM(US(400), US(600))}},
    {.name = "us_east_west",
     .doc = "two coasts of the United States: 36 ms one way between regions",
     .source = "mean round trip Virginia - N. California 72.7 ms (AWS regions, 2017 table)",
     .config = {COMMON, .latency = LAN_LATENCY,
                .between_regions = UNIFORM(US(35300), US(37400))}},
    {.name = "wan_us",
     .doc = "United States wide: 30 to 40 ms one way between regions and inside them",
     .source = "Ongaro, Consensus: Bridging Theory and Practice (2014), section 9.4: one-way "
               "latency uniform 30 to 40 ms",
     .config = {COMMON, .latency = UNIFORM(MS(30), MS(40)),
                .between_regions = UNIFORM(MS(30), MS(40))}},
    {.name = "wan_pbs",
     .doc = "a replica far away: 75 ms one way between regions",
     .source =
         "Bailis et al., Probabilistically Bounded Staleness, VLDB 2012, WAN: 75 ms one way",
     .config = {COMMON, .latency = LAN_LATENCY, .between_regions = CONSTANT(MS(75))}},
    {.name = "aws",
     .doc = "regions called virginia, california, oregon, ireland, frankfurt, tokyo, seoul, "
            "singapore, sydney, sao_paulo; 100 ms between others",
     .source = "mean round trips between AWS regions, 2017 "
               "(acomputerscientistlearnsaws.blogspot.com/2017/04/aws-regions.html)",
     .config = {COMMON, .latency = UNIFORM(US(200), US(300)),
                .between_regions = UNIFORM(US(97000), US(103000))},
     .place_routes = aws_routes,
     .place_routes_count = sizeof aws_routes / sizeof *aws_routes},
    {.name = "fdb",
     .doc = "FoundationDB's simulated network: 0.1 to 0.8 ms, one message in a thousand up to "
            "100 ms",
     .source = "FoundationDB Sim2 latency: 99.9 % in 0.1 - 0.8 ms, tail to 100 ms",
     .config = {COMMON,
                .latency = {.kind = DIST_MIXTURE,
                            .parts = fdb_parts,
                            .weights_ppm = fdb_weights,
                            .parts_count = 2},
                .between_regions = {.kind = DIST_MIXTURE,
                                    .parts = fdb_parts,
                                    .weights_ppm = fdb_weights,
                                    .parts_count = 2}}},
    {.name = "jepsen_slow",
     .doc = "Jepsen's slowed network: 50 ms one way, give or take 10 ms",
     .source = "jepsen.net slow!: tc netem delay 50ms 10ms",
     .config = {COMMON, .latency = UNIFORM(MS(40), MS(60)),
                .between_regions = UNIFORM(MS(40), MS(60))}},
    {.name = "udp",
     .doc = "as lan, but every message is a datagram: 0.1 % lost, 0.01 % doubled, 0.1 % late "
            "by up to 1 ms",
     .source = "our choice: rates at which a test sees each effect",
     .config = {.latency = LAN_LATENCY,
                .between_regions = UNIFORM(US(35500), US(36500)),
                .local_latency = CONSTANT(US(20)),
                .bytes_per_s = TEN_GIGABIT,
                .loss_ppm = 1000,
                .duplicate_ppm = 100,
                .reorder_ppm = 1000,
                .reorder_ns = MS(1),
                .retransmit_ns = MS(200),
                .reconnect_ns = MS(100),
                .transport = NETWORK_DATAGRAM,
                .in_flight = NETWORK_DROP}},
    {0},
};

const struct network_preset *network_preset_find(const char *name)
{
    for (const struct network_preset *preset = network_presets; preset->name; preset++)
        if (strcmp(preset->name, name) == 0) return preset;
    return NULL;
}

const struct dist *network_preset_route(const struct network_preset *preset,
                                        const char *region_a, const char *region_b)
{
    for (uint32_t i = 0; i < preset->place_routes_count; i++) {
        const struct network_place_route *route = &preset->place_routes[i];
        bool forth = strcmp(route->a, region_a) == 0 && strcmp(route->b, region_b) == 0;
        bool back = strcmp(route->a, region_b) == 0 && strcmp(route->b, region_a) == 0;
        if (forth || back) return &route->latency;
    }
    return NULL;
}
