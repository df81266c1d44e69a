/** What becomes of a document's elements: two shapes of values, built as the elements end. */
import { SockpoolError } from '../../base/errors.ts'

export const XML_SHAPES = ['compact', 'nodes'] as const

/**
 * `compact`: an element is its text; or an object of its attributes, of its child elements by their names, and of its text.
 * `nodes`: an element is `{name, attributes, children}`, in which nothing loses its place.
 */
export type XmlShape = (typeof XML_SHAPES)[number]

export type XmlOptions = {
  readonly shape: XmlShape
  /** What stands before an attribute's name; compact alone. */
  readonly attributePrefix: string
  /** Elements that are lists even where there is one of them, by name; or whether all are. Compact alone. */
  readonly arrays: ReadonlySet<string> | boolean
}

/** What a parser tells, in the order of the document. */
export interface XmlBuilder {
  open(name: string, attributes: Readonly<Record<string, string>>): void
  text(text: string): void
  close(): void
  /** The document's value, once its root has ended. */
  readonly value: unknown
}

export function xmlBuilder(options: XmlOptions): XmlBuilder {
  return options.shape === 'nodes' ? new NodeBuilder() : new CompactBuilder(options)
}

type XmlNode = {
  readonly name: string
  readonly attributes: Record<string, string>
  readonly children: (string | XmlNode)[]
}

class NodeBuilder implements XmlBuilder {
  readonly #open: XmlNode[] = []
  value: unknown = null

  open(name: string, attributes: Readonly<Record<string, string>>): void {
    const own: Record<string, string> = {}
    for (const [key, value] of Object.entries(attributes)) {
      if (key === '__proto__') throw reserved(key)
      own[key] = value
    }
    const node: XmlNode = { name, attributes: own, children: [] }
    this.#open.at(-1)?.children.push(node)
    this.#open.push(node)
  }

  text(text: string): void {
    const children = this.#open.at(-1)?.children
    const last = children?.at(-1)
    // Text on both sides of a comment, or of CDATA, is one text.
    if (children && typeof last === 'string') children[children.length - 1] = last + text
    else if (text !== '') children?.push(text)
  }

  close(): void {
    const node = this.#open.pop()
    if (this.#open.length === 0) this.value = node
  }
}

type CompactElement = {
  readonly name: string
  readonly parts: Record<string, unknown>
  text: string
  /** Attributes and child elements. */
  count: number
  hasElements: boolean
}

const TEXT_NAME = '#text'

class CompactBuilder implements XmlBuilder {
  readonly #options: XmlOptions
  readonly #root: CompactElement = elementOf('')
  readonly #open: CompactElement[] = [this.#root]

  constructor(options: XmlOptions) {
    this.#options = options
  }

  get value(): unknown {
    return this.#root.parts
  }

  open(name: string, attributes: Readonly<Record<string, string>>): void {
    const parent = this.#open.at(-1)
    if (name === '__proto__' || (name === 'prototype' && parent?.name === 'constructor')) throw reserved(name)
    const element = elementOf(name)
    for (const [key, value] of Object.entries(attributes)) {
      element.parts[this.#options.attributePrefix + key] = value
      element.count += 1
    }
    this.#open.push(element)
  }

  text(text: string): void {
    const element = this.#open.at(-1)
    if (element) element.text += text
  }

  close(): void {
    const element = this.#open.pop()
    const parent = this.#open.at(-1)
    if (element && parent) this.#add(parent, element.name, valueOfElement(element))
  }

  #add(parent: CompactElement, name: string, value: unknown): void {
    const { parts } = parent
    const { arrays } = this.#options
    const isList = typeof arrays === 'boolean' ? arrays && parent !== this.#root : arrays.has(name)
    parent.count += 1
    parent.hasElements = true
    if (!Object.hasOwn(parts, name)) {
      parts[name] = isList ? [value] : value
      return
    }
    const before = parts[name]
    // No value of one element is a list.
    if (Array.isArray(before)) before.push(value)
    else parts[name] = [before, value]
  }
}

function elementOf(name: string): CompactElement {
  return { name, parts: {}, text: '', count: 0, hasElements: false }
}

function valueOfElement({ parts, text, count, hasElements }: CompactElement): unknown {
  if (count === 0) return text
  // White space between elements is there for readers of the document.
  if (text !== '' && !(hasElements && /^[ \t\r\n]*$/.test(text))) parts[TEXT_NAME] = text
  return parts
}

function reserved(name: string): SockpoolError {
  return new SockpoolError('PARSE_FAILED', `the document has an element or attribute named ${name}`)
}
