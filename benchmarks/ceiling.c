/* What a client that does nothing else gets out of the broker, with rabbitmq-c.
 *
 *   ceiling publish URL EXCHANGE KEY FILE WINDOW   publishes FILE's messages, mandatory and with confirms, at
 *                                                  most WINDOW of them unconfirmed
 *   ceiling consume URL QUEUE COUNT PREFETCH       takes COUNT messages, acknowledges each at once by itself
 *
 * FILE holds, for each message: length and bytes of its properties as in a content header, length and bytes of its
 * body; lengths are 32 bits, little-endian. Prints when it began and ended, in seconds of CLOCK_MONOTONIC.
 */

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

typedef struct {
    amqp_basic_properties_t *properties;
    amqp_bytes_t body;
} message_t;

static void die(const char *what) {
    fprintf(stderr, "ceiling: %s\n", what);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void check(amqp_connection_state_t c, const char *what) {
    if (amqp_get_rpc_reply(c).reply_type != AMQP_RESPONSE_NORMAL) die(what);
}

static amqp_connection_state_t open_connection(char *url) {
    struct amqp_connection_info info;
    if (amqp_parse_url(url, &info) != AMQP_STATUS_OK) die("the URL cannot be read");
    amqp_connection_state_t c = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(c);
    if (!socket || amqp_socket_open(socket, info.host, info.port) != AMQP_STATUS_OK) die("no connection");
    if (amqp_login(c, info.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, info.user, info.password).reply_type !=
        AMQP_RESPONSE_NORMAL)
        die("no login");
    amqp_channel_open(c, 1);
    check(c, "no channel");
    return c;
}

static uint32_t read_length(FILE *file) {
    uint32_t length;
    return fread(&length, sizeof length, 1, file) == 1 ? length : UINT32_MAX;
}

static amqp_bytes_t read_bytes(FILE *file, uint32_t length) {
    amqp_bytes_t bytes = amqp_bytes_malloc(length);
    if (length && fread(bytes.bytes, length, 1, file) != 1) die("the file ends too early");
    return bytes;
}

static size_t load(const char *path, message_t **messages, amqp_pool_t *pool) {
    FILE *file = fopen(path, "rb");
    if (!file) die("no such file");
    size_t count = 0, room = 0;
    uint32_t length;
    while ((length = read_length(file)) != UINT32_MAX) {
        if (count == room) {
            room = room ? 2 * room : 1024;
            *messages = realloc(*messages, room * sizeof **messages);
        }
        message_t *message = &(*messages)[count++];
        void *decoded;
        if (amqp_decode_properties(AMQP_BASIC_CLASS, pool, read_bytes(file, length), &decoded) < 0)
            die("properties that are none");
        message->properties = decoded;
        message->body = read_bytes(file, read_length(file));
    }
    fclose(file);
    return count;
}

/* Takes one frame, waiting for it where `wait`; returns whether there was one. */
static int take_confirm(amqp_connection_state_t c, int wait, char *known, uint64_t *low, size_t *confirmed) {
    struct timeval none = {0, 0};
    amqp_frame_t frame;
    int status = amqp_simple_wait_frame_noblock(c, &frame, wait ? NULL : &none);
    if (status == AMQP_STATUS_TIMEOUT) return 0;
    if (status != AMQP_STATUS_OK) die("the connection ended");
    if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
        die("a message was not taken");
    amqp_basic_ack_t *ack = frame.payload.method.decoded;
    for (uint64_t tag = ack->multiple ? *low : ack->delivery_tag; tag <= ack->delivery_tag; tag++) {
        *confirmed += !known[tag];
        known[tag] = 1;
    }
    if (ack->multiple) *low = ack->delivery_tag + 1;
    return 1;
}

static void publish(char *url, char *exchange, char *key, const char *path, size_t window) {
    message_t *messages = NULL;
    amqp_pool_t pool;
    init_amqp_pool(&pool, 1 << 20);
    size_t count = load(path, &messages, &pool), confirmed = 0;
    char *known = calloc(count + 2, 1);
    uint64_t low = 1;
    amqp_connection_state_t c = open_connection(url);
    amqp_confirm_select(c, 1);
    check(c, "no confirms");
    double begin = now();
    for (size_t sent = 0; sent < count; sent++) {
        if (amqp_basic_publish(c, 1, amqp_cstring_bytes(exchange), amqp_cstring_bytes(key), 1, 0,
                               messages[sent].properties, messages[sent].body) != AMQP_STATUS_OK)
            die("a message was not sent");
        while (sent + 1 - confirmed >= window) take_confirm(c, 1, known, &low, &confirmed);
        if (sent % 64 == 0)
            while (take_confirm(c, 0, known, &low, &confirmed)) amqp_maybe_release_buffers(c);
    }
    while (confirmed < count) take_confirm(c, 1, known, &low, &confirmed);
    printf("%.9f %.9f\n", begin, now());
    amqp_connection_close(c, AMQP_REPLY_SUCCESS);
}

static void consume(char *url, char *queue, size_t count, uint16_t prefetch) {
    amqp_connection_state_t c = open_connection(url);
    amqp_basic_qos(c, 1, 0, prefetch, 0);
    amqp_basic_consume(c, 1, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
    check(c, "not consuming");
    double begin = 0;
    for (size_t taken = 0; taken < count; taken++) {
        amqp_envelope_t envelope;
        amqp_maybe_release_buffers(c);
        if (amqp_consume_message(c, &envelope, NULL, 0).reply_type != AMQP_RESPONSE_NORMAL) die("no message");
        if (!taken) begin = now();
        if (amqp_basic_ack(c, 1, envelope.delivery_tag, 0) != AMQP_STATUS_OK) die("not acknowledged");
        amqp_destroy_envelope(&envelope);
    }
    printf("%.9f %.9f\n", begin, now());
    amqp_connection_close(c, AMQP_REPLY_SUCCESS);
}

int main(int argc, char **argv) {
    if (argc == 7 && !strcmp(argv[1], "publish"))
        publish(argv[2], argv[3], argv[4], argv[5], strtoul(argv[6], NULL, 10));
    else if (argc == 6 && !strcmp(argv[1], "consume"))
        consume(argv[2], argv[3], strtoul(argv[4], NULL, 10), (uint16_t)strtoul(argv[5], NULL, 10));
    else
        die("publish URL EXCHANGE KEY FILE WINDOW, or consume URL QUEUE COUNT PREFETCH");
    return 0;
}
