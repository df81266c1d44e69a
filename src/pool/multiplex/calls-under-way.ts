/** How many calls of each tenant are under way on shared connections. */
export class CallsUnderWay {
  readonly #byTenant = new Map<string, number>()

  get isEmpty(): boolean {
    return this.#byTenant.size === 0
  }

  of(tenant: string): number {
    return this.#byTenant.get(tenant) ?? 0
  }

  begin(tenant: string): void {
    this.#byTenant.set(tenant, this.of(tenant) + 1)
  }

  end(tenant: string): void {
    const count = this.of(tenant) - 1
    if (count > 0) this.#byTenant.set(tenant, count)
    else this.#byTenant.delete(tenant)
  }
}
