/** Descriptors of a file that has fields of every kind, as protoc would write them. */
import { createFileRegistry, type DescMessage, fromJson, type Registry, toBinary } from '@bufbuild/protobuf'
import {
  FileDescriptorProtoSchema,
  type FileDescriptorSet,
  FileDescriptorSetSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
} from '@bufbuild/protobuf/wkt'

const one = (name: string, number: number, type: string, typeName?: string) => ({
  name,
  jsonName: name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
  number,
  label: 'LABEL_OPTIONAL',
  type: `TYPE_${type}`,
  ...(typeName === undefined ? {} : { typeName }),
})
const many = (name: string, number: number, type: string, typeName?: string) => ({
  ...one(name, number, type, typeName),
  label: 'LABEL_REPEATED',
})

const item = {
  name: 'Item',
  field: [
    one('name', 1, 'STRING'),
    one('id', 2, 'INT64'),
    many('counts', 3, 'INT32'),
    one('raw_bytes', 4, 'BYTES'),
    one('child', 5, 'MESSAGE', '.test.Item'),
    many('items', 6, 'MESSAGE', '.test.Item.ItemsEntry'),
    one('kind', 7, 'ENUM', '.test.Kind'),
    one('at', 8, 'MESSAGE', '.google.protobuf.Timestamp'),
    one('any', 9, 'MESSAGE', '.google.protobuf.Any'),
    one('value', 10, 'MESSAGE', '.google.protobuf.Value'),
    many('doubles', 11, 'DOUBLE'),
    many('list', 12, 'MESSAGE', '.test.Item'),
    many('words', 13, 'STRING'),
    many('kinds', 14, 'ENUM', '.test.Kind'),
    one('took', 15, 'MESSAGE', '.google.protobuf.Duration'),
    many('numbers', 16, 'MESSAGE', '.test.Item.NumbersEntry'),
    many('flags', 17, 'BOOL'),
    many('fixed', 18, 'FIXED32'),
  ],
  nestedType: [
    {
      name: 'ItemsEntry',
      field: [one('key', 1, 'STRING'), one('value', 2, 'MESSAGE', '.test.Item')],
      options: { mapEntry: true },
    },
    {
      name: 'NumbersEntry',
      field: [one('key', 1, 'INT64'), one('value', 2, 'STRING')],
      options: { mapEntry: true },
    },
  ],
}

const legacy = {
  name: 'legacy.proto',
  package: 'test.legacy',
  messageType: [
    {
      name: 'Old',
      field: [one('inner', 1, 'GROUP', '.test.legacy.Old.Inner'), one('text', 2, 'STRING')],
      nestedType: [
        { name: 'Inner', field: [one('inner', 1, 'GROUP', '.test.legacy.Old.Inner'), one('n', 2, 'UINT32')] },
      ],
      extensionRange: [{ start: 100, end: 200 }],
    },
  ],
  extension: [{ ...one('more', 100, 'STRING'), extendee: '.test.legacy.Old' }],
}

/** The set of a file of one's own, with those of Google that it may import. `file`: as JSON has a FileDescriptorProto. */
export function descriptorSet(...files: readonly object[]): FileDescriptorSet {
  const google = [
    file_google_protobuf_any,
    file_google_protobuf_duration,
    file_google_protobuf_struct,
    file_google_protobuf_timestamp,
  ].map(({ proto }) => proto)
  const set = fromJson(FileDescriptorSetSchema, { file: [] })
  set.file.push(...google, ...files.map(file => fromJson(FileDescriptorProtoSchema, file as never)))
  return set
}

const SET: FileDescriptorSet = descriptorSet(
  {
    name: 'item.proto',
    package: 'test',
    syntax: 'proto3',
    dependency: ['any', 'duration', 'struct', 'timestamp'].map(name => `google/protobuf/${name}.proto`),
    messageType: [item],
    enumType: [
      {
        name: 'Kind',
        value: [
          { name: 'NONE', number: 0 },
          { name: 'SOME', number: 1 },
        ],
      },
    ],
  },
  legacy,
)

/** The bytes of `test.Item` and what it needs, and `test.legacy.Old`. */
export const ITEM_SET: Buffer = Buffer.from(toBinary(FileDescriptorSetSchema, SET))

export const ITEM_REGISTRY: Registry = createFileRegistry(SET)

export function messageType(name: string): DescMessage {
  const type = ITEM_REGISTRY.getMessage(name)
  if (!type) throw new Error(`there is no ${name}`)
  return type
}
