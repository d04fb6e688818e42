/** What every kind of ingest answers; events and audit share the type. */
import 'reflect-metadata';
import { Directive, Field, ID, Int, ObjectType } from 'type-graphql';
import { Authenticated } from './access-rules.js';

@Directive('@shareable')
@Authenticated()
@ObjectType('RejectedEvent', { simpleResolvers: true, description: 'An item of a batch that was not stored, and why.' })
export class RejectedEvent {
  @Field(() => Int, { description: 'Its place in the batch, from 0.' })
  index!: number;
  @Field(() => String, { description: 'A stable error code.' })
  code!: string;
  @Field(() => String, { description: 'What is wrong, in words.' })
  message!: string;
  @Field(() => String, { nullable: true, description: 'The field that it is about.' })
  field?: string | null;
}

@Directive('@shareable')
@Authenticated()
@ObjectType('IngestReceipt', { simpleResolvers: true, description: 'What became of a batch.' })
export class IngestReceipt {
  @Field(() => Int, { description: 'How many items were stored.' })
  accepted!: number;
  @Field(() => [RejectedEvent], { description: 'The items that were not; all others are stored.' })
  rejected!: RejectedEvent[];
  @Field(() => ID, { description: 'The batch’s id, as it was sent or as it was made.' })
  batchId!: string;
  @Field(() => Boolean, { description: 'Whether this batch was stored before; the receipt is then the first one.' })
  duplicate!: boolean;
}
