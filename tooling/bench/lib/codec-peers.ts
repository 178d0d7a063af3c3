import { create, createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  OneofDescriptorProtoSchema,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt';

/** A field: its name, its type (a scalar's, or another message's name), and whether it repeats or is one of several. */
type Field = readonly [name: string, type: Type | string, kind?: 'repeated' | 'oneof'];

// The messages of the benchmark as a protobuf user would write them: ids as bytes, the variants as a oneof.
const messages: Readonly<Record<string, readonly Field[]>> = {
  Empty: [],
  Edge: [
    ['bondId', Type.BYTES],
    ['peerId', Type.BYTES],
  ],
  BondMessage: [
    ['ping', 'Empty', 'oneof'],
    ['pong', 'Empty', 'oneof'],
    ['departure', 'Empty', 'oneof'],
    ['peerEntryUpdate', 'SignedPeerEntry', 'oneof'],
    ['bondFormed', 'Edge', 'oneof'],
    ['raft', Type.BYTES, 'oneof'],
    ['bondLost', 'Edge', 'oneof'],
  ],
  Version: [
    ['startMs', Type.UINT64],
    ['updateMs', Type.UINT64],
  ],
  Ticket: [
    ['ticketClass', Type.BYTES],
    ['data', Type.BYTES],
  ],
  PeerEntry: [
    ['peerId', Type.BYTES],
    ['protocolVersion', Type.UINT32],
    ['networkId', Type.BYTES],
    ['version', 'Version'],
    ['addresses', Type.STRING, 'repeated'],
    ['tags', Type.BYTES, 'repeated'],
    ['groups', Type.BYTES, 'repeated'],
    ['tickets', 'Ticket', 'repeated'],
    ['departed', Type.BOOL],
  ],
  SignedPeerEntry: [
    ['entry', 'PeerEntry'],
    ['signature', Type.BYTES],
  ],
  Epoch: [
    ['term', Type.UINT64],
    ['leader', Type.BYTES],
    ['nonce', Type.UINT64],
  ],
  Position: [
    ['epoch', 'Epoch'],
    ['index', Type.UINT64],
  ],
  LogEntry: [
    ['opening', 'Empty', 'oneof'],
    ['view', 'Empty', 'oneof'],
    ['command', Type.BYTES, 'oneof'],
    ['commandMore', Type.BYTES, 'oneof'],
  ],
  EntryRun: [
    ['epoch', 'Epoch'],
    ['entries', 'LogEntry', 'repeated'],
  ],
  Append: [
    ['epoch', 'Epoch'],
    ['side', 'Epoch'],
    ['prev', 'Position'],
    ['entries', 'EntryRun', 'repeated'],
    ['commit', Type.UINT64],
    ['round', Type.UINT64],
    ['durable', Type.UINT64],
  ],
  RaftMessage: [
    ['incarnation', Type.UINT64],
    ['status', 'Empty', 'oneof'],
    ['voteRequest', 'Empty', 'oneof'],
    ['append', 'Append', 'oneof'],
  ],
};

function descriptor(name: string, fields: readonly Field[]): DescriptorProto {
  return create(DescriptorProtoSchema, {
    name,
    oneofDecl: fields.some(([, , kind]) => kind === 'oneof')
      ? [create(OneofDescriptorProtoSchema, { name: 'body' })]
      : [],
    field: fields.map(([fieldName, type, kind], i) =>
      create(FieldDescriptorProtoSchema, {
        name: fieldName,
        jsonName: fieldName,
        number: i + 1,
        label: kind === 'repeated' ? Label.REPEATED : Label.OPTIONAL,
        type: typeof type === 'string' ? Type.MESSAGE : type,
        ...(typeof type === 'string' ? { typeName: `.bench.${type}` } : {}),
        ...(kind === 'oneof' ? { oneofIndex: 0 } : {}),
      }),
    ),
  });
}

// What generated code does at start, less the generator: the same descriptors, built at run time.
const registry = createFileRegistry(
  create(FileDescriptorSetSchema, {
    file: [
      create(FileDescriptorProtoSchema, {
        name: 'bench.proto',
        package: 'bench',
        syntax: 'proto3',
        messageType: Object.entries(messages).map(([name, fields]) => descriptor(name, fields)),
      }),
    ],
  }),
);

function protobufShape(name: string) {
  const schema = registry.getMessage(`bench.${name}`);
  if (!schema) throw new Error(`no message ${name}`);
  return {
    message: (value: unknown) => create(schema, asOneof(value) as Record<string, unknown>),
    encode: (message: unknown) => toBinary(schema, message as ReturnType<typeof create>),
    decode: (bytes: Uint8Array) => fromBinary(schema, bytes),
  };
}

export const protobufShapes = {
  heartbeat: protobufShape('BondMessage'),
  entry: protobufShape('SignedPeerEntry'),
  append: protobufShape('RaftMessage'),
};

const INTEGERS_OF_64_BITS = new Set(['startMs', 'updateMs', 'term', 'index', 'commit', 'round', 'durable']);

/** A value of ours as protobuf-es wants it: variants as a oneof, 64-bit integers as bigint. */
function asOneof(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asOneof);
  if (!isRecord(value)) return value;
  const fields = Object.fromEntries(
    Object.entries(value)
      .filter(([name, field]) => name !== 'type' && field !== undefined)
      .map(([name, field]) => [
        name,
        INTEGERS_OF_64_BITS.has(name) ? BigInt(field as number) : asOneof(field),
      ]),
  );
  if (typeof value.type === 'string') {
    const variant = value.type.charAt(0).toLowerCase() + value.type.slice(1);
    return { body: { case: variant, value: 'value' in fields ? fields.value : fields } };
  }
  return isRecord(fields.body) && 'body' in fields.body ? { ...fields, body: fields.body.body } : fields;
}

/** The value with ids as their 32 bytes. */
export function bytesIn(value: unknown): unknown {
  if (typeof value === 'string' && /^[0-9a-f]{64}$/.test(value))
    return Uint8Array.from(Buffer.from(value, 'hex'));
  if (Array.isArray(value)) return value.map(bytesIn);
  return isRecord(value) ? mapFields(value, bytesIn) : value;
}

/** The value as JSON can hold it: bytes as base64, bigints as decimal digits; converted here, which costs JSON nothing. */
export function textIn(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map(textIn);
  return isRecord(value) ? mapFields(value, textIn) : value;
}

function mapFields(value: Record<string, unknown>, map: (field: unknown) => unknown): unknown {
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, map(field)]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
}
