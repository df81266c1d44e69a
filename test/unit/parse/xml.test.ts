import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { decodeAll, writeAll } from '../../../src/parse/formats/decode-all.ts'
import { findFormat } from '../../../src/parse/formats/registry.ts'
import { thrown } from '../../fixtures/thrown.ts'
import { openDecoder } from '../../support/decoders.ts'
import { cutByByte, messagesOf, valuesByByte } from '../../support/messages.ts'

const LIST = { before: '[', between: ',', end: '', after: ']' }

type Case = [name: string, input: string, values: unknown[], options?: Record<string, unknown>]

const CASES: Case[] = [
  ['nothing', '', []],
  ['white space alone', ' \r\n\t', []],
  ['comments and instructions alone', '<!-- <a> --> <?x <a? > ?>\n', []],
  ['an empty element', '<a/>', [{ a: '' }]],
  ['an element without text', '<a></a >', [{ a: '' }]],
  ['text', '<a> b\n</a>', [{ a: ' b\n' }]],
  ['text of white space', '<a> </a>', [{ a: ' ' }]],
  ['attributes', `<a b="1" c='"2"'/>`, [{ a: { '@b': '1', '@c': '"2"' } }]],
  ['attributes and text', '<a b="1">t</a>', [{ a: { '@b': '1', '#text': 't' } }]],
  ['elements', '<a><b>1</b><c/></a>', [{ a: { b: '1', c: '' } }]],
  [
    'elements of one name',
    '<a><b>1</b><c/><b>2</b><b x="3"/></a>',
    [{ a: { b: ['1', '2', { '@x': '3' }], c: '' } }],
  ],
  ['white space between elements', '<a>\n  <b>1</b>\n</a>\n', [{ a: { b: '1' } }]],
  ['text among elements', '<p>one <b>two</b> three</p>', [{ p: { b: 'two', '#text': 'one  three' } }]],
  [
    'entities',
    '<a b="&lt;&quot;&#10;">&amp;&#x41;&apos;&gt;</a>',
    [{ a: { '@b': '<"\n', '#text': "&A'>" } }],
  ],
  ['CDATA', '<a>x<![CDATA[<b>&amp;]]]>y<![CDATA[</a>]]></a>', [{ a: 'x<b>&amp;]y</a>' }]],
  ['CDATA that is empty', '<a><![CDATA[]]></a>', [{ a: '' }]],
  ['comments within', '<a>x<!-- </a> -->y</a>', [{ a: 'xy' }]],
  ['instructions within', '<a>x<?y </a> ? > ?>z</a>', [{ a: 'xz' }]],
  ['signs in attributes', `<a b="/>" c='>"'>></a>`, [{ a: { '@b': '/>', '@c': '>"', '#text': '>' } }]],
  ['line ends as XML has them', '<a>1\r\n2\r3</a>', [{ a: '1\n2\n3' }]],
  [
    'prefixes as they are',
    '<s:a xmlns:s="u" s:b="1"><s:c/></s:a>',
    [{ 's:a': { '@xmlns:s': 'u', '@s:b': '1', 's:c': '' } }],
  ],
  [
    'characters of one to four bytes',
    '<é>漢字<ü ö="😀"/></é>',
    [{ é: { ü: { '@ö': '😀' }, '#text': '漢字' } }],
  ],
  ['a declaration', '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n<a/>', [{ a: '' }]],
  ['a byte order mark', '\ufeff<?xml version="1.0"?><a/>', [{ a: '' }]],
  [
    'several documents',
    '<a/><b/>\n<?xml version="1.0"?><c>1</c>\n<!-- end -->\n',
    [{ a: '' }, { b: '' }, { c: '1' }],
  ],
  [
    'names that objects have by themselves',
    '<a><toString/><constructor>c</constructor><valueOf/></a>',
    [{ a: { toString: '', constructor: 'c', valueOf: '' } }],
  ],
  [
    'lists that are asked for',
    '<a><b/><c><b/></c></a>',
    [{ a: { b: [''], c: { b: [''] } } }],
    { arrays: 'b' },
  ],
  ['lists everywhere', '<a x="1"><b/></a>', [{ a: { '@x': '1', b: [''] } }], { arrays: true }],
  ['another prefix', '<a b="1"/>', [{ a: { '@_b': '1' } }], { attributePrefix: '@_' }],
  [
    'nodes',
    '<p x="1">one <b>two</b><!-- --><![CDATA[ ]]>three<b/></p>',
    [
      {
        name: 'p',
        attributes: { x: '1' },
        children: [
          'one ',
          { name: 'b', attributes: {}, children: ['two'] },
          ' three',
          { name: 'b', attributes: {}, children: [] },
        ],
      },
    ],
    { shape: 'nodes' },
  ],
]

async function failureOf(input: string | Buffer, options: unknown = {}): Promise<unknown> {
  const decoder = await openDecoder('xml', options)
  return thrown(() => decodeAll(decoder, Buffer.from(input)))
}

describe('xml', () => {
  test.each(CASES)('reads %s', async (_, input, values, options) => {
    const decoder = await openDecoder('xml', options)
    expect(decodeAll(decoder, Buffer.from(input))).toEqual(values)
    expect(valuesByByte(decoder, Buffer.from(input))).toEqual(values)
    const texts = values.map(value => JSON.stringify(value))
    expect(messagesOf(decoder.text, Buffer.from(input), decoder.text.write)).toEqual(texts)
    expect(Buffer.from(writeAll(decoder, Buffer.from(input), LIST)).toString()).toBe(`[${texts}]`)
  })

  test('ends a message with the end tag of its root', async () => {
    const decoder = await openDecoder('xml')
    const documents = ['<a/>', ' <!-- > --><b c=">"><d/></b >', '\n<?e?><f></f>']
    const cut = cutByByte(decoder, Buffer.from(`${documents.join('')}  `))
    expect(cut.map(String)).toEqual(documents)
  })

  test.each([
    ['an entity that nobody declared', '<a>é&x;</a>', 7],
    ['an end tag of another name', '<a><b></a></b>', 9],
    ['an end tag alone', '</a>', 1],
    ['text outside', 'x<a/>', 0],
    ['text behind the root', '<a/>x', 4],
    ['an attribute twice', '<a b="1" b="2"/>', 15],
    ['an attribute without quotes', '<a b=1></a>', 5],
    ['an attribute without a value', '<a b></a>', 4],
    ['a < in a tag', '<a <b/></a>', 3],
    ['a < in an attribute', '<a b="<"/>', 6],
    ['a slash within a tag', '<a /b></a>', 4],
    ['two dashes in a comment', '<a><!-- -- --></a>', 10],
    ['a control character', '<a>\u0001</a>', 3],
    ['a reference to no character', '<a>&#0;</a>', 6],
    [']]> in text', '<a>]]></a>', 5],
    ['a name that is none', '<1/>', 1],
    ['CDATA outside', '<![CDATA[x]]><a/>', 2],
    ['another encoding', '<?xml version="1.0" encoding="ISO-8859-1"?><a/>', 42],
    ['a declaration that is not in front', '<!-- --><?xml version="1.0"?><a/>', 13],
    ['bytes that are not UTF-8', Buffer.from(' <a>\xff</a>', 'latin1'), 4],
    ['UTF-16', Buffer.from('\ufeff<a/>', 'utf16le'), 0],
    ['an end within a tag', '<a', 2],
    ['an end within an element', '<a>', 3],
    ['an end within a comment', '<!-- <a/>', 9],
  ])('tells where there is %s', async (_, input, offset) => {
    expect(await failureOf(input)).toMatchObject({ code: 'PARSE_FAILED', offset })
  })

  test.each([
    ['entities that grow', '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>', 2],
    ['an entity that lies elsewhere', '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', 2],
    [
      'a document type that lies elsewhere',
      '<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://example.com/a.dtd"><a/>',
      23,
    ],
    ['an entity declaration within', '<a><!ENTITY b "c"></a>', 5],
  ])('refuses %s', async (_, input, offset) => {
    expect(await failureOf(input)).toMatchObject({ code: 'PARSE_FAILED', offset })
  })

  test('refuses names that reach a prototype', async () => {
    const inputs = [
      '<__proto__><polluted>1</polluted></__proto__>',
      '<a><__proto__ polluted="1"/></a>',
      '<constructor><prototype><polluted>1</polluted></prototype></constructor>',
    ]
    for (const input of inputs) expect(await failureOf(input)).toMatchObject({ code: 'PARSE_FAILED' })
    expect(await failureOf('<a __proto__="1"/>', { shape: 'nodes' })).toMatchObject({ code: 'PARSE_FAILED' })
    const decoder = await openDecoder('xml')
    const [value] = decodeAll(decoder, Buffer.from('<a __proto__="1"><b/></a>'))
    expect(JSON.stringify(value)).toBe('{"a":{"@__proto__":"1","b":""}}')
  })

  test('bounds nesting, and elements with their attributes, before they are parsed', async () => {
    const { parseDepthMax: deep, parseElementsMax: most } = LIMITS
    const nested = (depth: number) => `${'<a>'.repeat(depth)}${'</a>'.repeat(depth)}`
    expect(await failureOf(nested(deep + 1))).toMatchObject({ code: 'PARSE_LIMIT', offset: deep * 3 + 2 })
    expect(await failureOf(`${'<a>'.repeat(deep)}<b/>`)).toMatchObject({ code: 'PARSE_LIMIT' })
    const decoder = await openDecoder('xml')
    expect(decodeAll(decoder, Buffer.from(nested(deep)))).toHaveLength(1)
    expect(await failureOf(`<a>${'<b/>'.repeat(most)}</a>`)).toMatchObject({ code: 'PARSE_LIMIT' })
    const attributes = Array.from({ length: most }, (_, index) => ` a${index}=""`).join('')
    expect(await failureOf(`<a${attributes}/>`)).toMatchObject({ code: 'PARSE_LIMIT' })
  })

  test.each([
    ['references', '&amp;'],
    ['text', 'x'],
    ['comments', '<!---->'],
    ['instructions', '<?x?>'],
    ['CDATA', '<![CDATA[]]>'],
    ['brackets', '] '],
    ['line ends', '\r'],
  ])('takes no more than linear time for a flood of %s', async (_, piece) => {
    const decoder = await openDecoder('xml')
    const input = `<a>${piece.repeat(Math.floor(2_097_152 / piece.length))}</a>`
    expect(decodeAll(decoder, Buffer.from(input))).toHaveLength(1)
  })

  test.each([
    [{ shape: 'flat' }, 'shape'],
    [{ attributePrefix: '' }, 'attributePrefix'],
    [{ attributePrefix: 'a' }, 'attributePrefix'],
    [{ attributePrefix: '#' }, 'attributePrefix'],
    [{ attributePrefix: '@________' }, 'attributePrefix'],
    [{ attributePrefix: 1 }, 'attributePrefix'],
    [{ arrays: 1 }, 'arrays'],
    [{ arrays: [] }, 'arrays'],
    [{ dtd: true }, 'dtd'],
  ])('refuses the options %j', (options, name) => {
    expect(thrown(() => findFormat('xml').configure(options))).toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path: `options.${name}` }],
    })
  })
})
