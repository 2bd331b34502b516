/* What the tests of the world and of the faults share: three nodes n0 n1 n2 and a manager m0 on
 * the machine of n1, all under the scripted scheme of node_fixture.h, a directory, a second
 * store "store", and a client endpoint. Requests go to nodes directly, at once.
 */
#ifndef FAULTLINE_TESTS_WORLD_WORLD_FIXTURE_H
#define FAULTLINE_TESTS_WORLD_WORLD_FIXTURE_H

#include "sim/world/world.h"
#include "tests/world/node_fixture.h"

#define NODES 3u
#define MANAGER 3u
#define DIRECTORY 4u
#define STORE 5u
#define GROUP 6u

/* Scripted nodes of a world: only node `leader_initial` notes that it leads. */
static inline int quiet_start(struct env *env, const void *options, struct scheme **out);
static const struct scheme_ops world_script_scheme;

static inline int quiet_start(struct env *env, const void *options, struct scheme **out)
{
    int err = script_start(env, options, out);
    if (err) return err;
    (*out)->ops = &world_script_scheme;
    if (env->self != env->leader_initial) env->ops->note(env, NOTE_ROLE, ROLE_FOLLOWER, 1);
    return 0;
}

static inline void follower_inspect(struct scheme *scheme, struct scheme_inspection *out)
{
    script_inspect(scheme, out);
    out->applied_position = out->last_position;
    out->lag_ns = 7;
}

static inline int world_admin(struct scheme *scheme, const struct admin_command *command)
{
    int err = script_admin(scheme, command);
    bool leads = scheme->env->self == scheme->env->leader_initial;
    bool is_done = leads ? command->kind == ADMIN_PROMOTE : command->kind == ADMIN_DEMOTE;
    return is_done ? -EALREADY : err;
}

static const struct scheme_ops world_script_scheme = {
    .abi_version = SCHEME_ABI_VERSION,
    .struct_size = sizeof(struct scheme_ops),
    .name = "script",
    .doc = "",
    .start = quiet_start,
    .receive = script_receive,
    .request = script_request,
    .timer = script_timer,
    .flush = script_flush,
    .admin = world_admin,
    .inspect = follower_inspect,
    .manager = &world_script_scheme,
};

struct scene {
    struct kernel *kernel;
    struct world *world;
    struct records records;
    struct world_config config;
    uint64_t next_number;
    struct line lines[LOG_MAX];
    uint32_t lines_count;
    bool is_paused;
};

static inline void scene_log(struct scene *scene, const char *format, ...)
{
    va_list arguments;
    if (scene->lines_count == LOG_MAX) return;
    struct line *line = &scene->lines[scene->lines_count++];
    line->time = kernel_now(scene->kernel);
    va_start(arguments, format);
    vsnprintf(line->text, sizeof line->text, format, arguments);
    va_end(arguments);
}

static inline void group_receive(void *context, uint32_t from, enum message_class message_class,
                                 uint32_t kind, struct payload *payload)
{
    (void)from, (void)message_class;
    struct scene *scene = context;
    const unsigned char *p = payload->data;
    if (kind == MESSAGE_DIRECTORY_TELL)
        scene_log(scene, "tell %u %llu", get_u32(p), (unsigned long long)get_u64(p + 4));
    else if (kind == MESSAGE_STORE_REPLY)
        scene_log(scene, "store %llu %u %llu", (unsigned long long)get_u64(p), p[8],
                  (unsigned long long)get_u64(p + 9));
    else if (kind == MESSAGE_REPLY)
        scene_log(scene, "reply %llu", (unsigned long long)get_u64(p));
    else if (kind == MESSAGE_CLAIM_ANSWER)
        scene_log(scene, "answer %u %u %llu", p[0], get_u32(p + 1),
                  (unsigned long long)get_u64(p + 5));
}

static inline void group_pause(void *context, bool paused)
{
    ((struct scene *)context)->is_paused = paused;
}

static inline struct world_config scene_config(void)
{
    static const struct world_region regions[] = {{"r"}};
    static struct world_node nodes[NODES];
    static struct world_manager managers[1];
    static const struct world_store stores[] = {{"store", 0, 300 * US}};
    static const char *const names[] = {"n0", "n1", "n2"};
    struct node_config like = bench_config();
    for (uint32_t i = 0; i < NODES; i++)
        nodes[i] = (struct world_node){.name = names[i], .disk = like.disk};
    managers[0] = (struct world_manager){.name = "m0", .node = 1};
    return (struct world_config){
        .regions = regions,
        .regions_count = 1,
        .nodes = nodes,
        .nodes_count = NODES,
        .managers = managers,
        .managers_count = 1,
        .stores = stores,
        .stores_count = 1,
        .directory = {.learn_ns = 50 * MS, .refresh_ns = 100 * MS},
        .engine = like.engine,
        .scheme = &world_script_scheme,
        .handler_ns = HANDLER,
        .network = {.latency = constant(LATENCY),
                    .local_latency = constant(10 * US),
                    .transport = NETWORK_DATAGRAM},
    };
}

static inline struct scene *scene_create(const struct world_config *config, uint64_t seed)
{
    struct scene *scene = calloc(1, sizeof *scene);
    scene->config = *config;
    scene->kernel = kernel_create(&(struct kernel_config){.seed = seed});
    scene->records.history = history_create();
    scene->world = world_create(&scene->config, scene->kernel, &scene->records);
    assert_int_equal(network_add(world_network(scene->world), "group", 0, NETWORK_OWN_MACHINE,
                                 group_receive, scene),
                     GROUP);
    world_on_pause(scene->world, GROUP, group_pause, scene);
    return scene;
}

/* Started, and run for 100 ms: everybody is up. */
static inline struct scene *scene_start(const struct world_config *config)
{
    struct scene *scene = scene_create(config, 1);
    world_start(scene->world);
    kernel_run(scene->kernel, 100 * MS);
    for (uint32_t i = 0; i <= MANAGER; i++)
        assert_true(node_is_up(world_node(scene->world, i)));
    return scene;
}

static inline void scene_destroy(struct scene *scene)
{
    world_destroy(scene->world);
    history_destroy(scene->records.history);
    facts_deinit(&scene->records.facts);
    timeline_deinit(&scene->records.timeline);
    kernel_destroy(scene->kernel);
    free(scene);
}

static inline void order(struct scene *scene, uint32_t node, const char *script)
{
    uint64_t number = ++scene->next_number;
    unsigned char head[8], value[24];
    put_u64(head, number);
    int size = snprintf((char *)value, sizeof value, "%llu.v", (unsigned long long)number);
    struct buffer body = {.allocator = &allocator_system};
    operation_encode(&(struct operation){.type = OPERATION_WRITE,
                                         .key = bytes_string(script),
                                         .value = bytes_of(value, (size_t)size),
                                         .id = number},
                     &body);
    struct bytes slice = buffer_bytes(&body);
    struct payload *payload = payload_create(bytes_of(head, 8), &slice, 1);
    node_receive(world_node(scene->world, node), GROUP, MESSAGE_CLIENT, MESSAGE_REQUEST,
                 payload);
    payload_release(payload);
    buffer_deinit(&body);
}

static inline void group_send(struct scene *scene, uint32_t to, uint32_t kind,
                              enum message_class message_class, struct bytes bytes)
{
    struct payload *payload = payload_create(bytes, NULL, 0);
    network_send(world_network(scene->world), GROUP, to, message_class, kind, payload);
    payload_release(payload);
}

static inline uint32_t facts_of(const struct scene *scene, enum fact_kind kind,
                                uint32_t endpoint)
{
    uint32_t count = 0;
    for (size_t i = 0; i < scene->records.facts.count; i++)
        count += scene->records.facts.items[i].kind == kind &&
                 scene->records.facts.items[i].endpoint == endpoint;
    return count;
}

/* Timeline entries whose text contains that. */
static inline uint32_t told(const struct scene *scene, const char *part)
{
    uint32_t count = 0;
    for (size_t i = 0; i < scene->records.timeline.count; i++)
        count += strstr(scene->records.timeline.items[i].text, part) != NULL;
    return count;
}

static inline int64_t seen_at(const struct scene *scene, const char *text)
{
    for (uint32_t i = 0; i < scene->lines_count; i++)
        if (!strcmp(scene->lines[i].text, text)) return scene->lines[i].time;
    return -1;
}

static inline uint32_t seen_count(const struct scene *scene, const char *prefix)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < scene->lines_count; i++)
        count += !strncmp(scene->lines[i].text, prefix, strlen(prefix));
    return count;
}

#endif
